package layout_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	tarball "github.com/containerd/containerd/v2/core/images/archive"
	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	lay "lamina.build/internal/layout"
)

// archived returns a tar of some files.
func archived(t *testing.T, names ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, line := range names {
		name, content, _ := strings.Cut(line, " ")
		must(t, w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content))}))
		_, err := io.WriteString(w, content)
		must(t, err)
	}
	must(t, w.Close())
	return b.Bytes()
}

// An engine's export passes unchanged, whatever the engine has done with the image
// before.
func TestArchivePassesAnImageOn(t *testing.T) {
	l := open(t, t.TempDir())
	desc := export(t, l, strings.Repeat("content", 1000))
	var outs []string
	for _, source := range []string{"", "containerd.io/distribution.source.r.example"} {
		if source != "" {
			desc.Annotations = map[string]string{source: "a"}
		}
		var in, out bytes.Buffer
		must(t, tarball.Export(t.Context(), l.Store(), &in, tarball.WithManifest(desc, "a:1"), tarball.WithAllPlatforms()))
		in.Write(make([]byte, 4096)) // more padding than the tar needs
		a := lay.NewArchive(&out)
		must(t, a.Read(&in))
		got, err := a.Image()
		must(t, err)
		if got.Digest != desc.Digest || got.Size != desc.Size || !a.Has(desc) || in.Len() > 0 {
			t.Errorf("the image is %v, and %d bytes are left", got, in.Len())
		}
		if out.Len() == 0 || strings.Contains(out.String(), ocispec.ImageIndexFile) {
			t.Error("the index is written before the layers")
		}
		must(t, a.Close())
		outs = append(outs, out.String())
	}
	if outs[0] != outs[1] {
		t.Error("the archives of one image differ")
	}
}

// JSON that isn't a manifest, and files that only begin like JSON, pass, too.
func TestArchiveKeepsAllFiles(t *testing.T) {
	files := []string{"blobs/sha256/" + digest.FromString("{x").Encoded() + " {x", "empty ", "z [", "blobs/sha256/" + digest.FromString("tar").Encoded() + " tar", `index.json {"manifests":[{}]}`}
	var out bytes.Buffer
	a := lay.NewArchive(&out)
	must(t, a.Read(bytes.NewReader(archived(t, files...))), a.Close())
	got := map[string]int64{}
	for r := tar.NewReader(&out); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		must(t, err)
		got[h.Name] = h.Size
	}
	want := map[string]int64{}
	for _, line := range files {
		name, content, _ := strings.Cut(line, " ")
		want[name] = int64(len(content))
	}
	delete(want, "index.json")
	delete(got, "index.json") // is rewritten
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func TestArchiveThatIsBroken(t *testing.T) {
	for want, data := range map[string][]byte{
		"reading the archive of the image: it has no index.json":     archived(t),
		"reading the archive of the image: the index has no image":   archived(t, "index.json {}"),
		"reading the archive of the image: unexpected end of JSON":   archived(t, "index.json {"),
		"reading the archive of the image: unexpected EOF":           archived(t, "blobs/sha256/x abc")[:514],
		"reading the archive of the image: archive/tar: invalid tar": bytes.Repeat([]byte("x"), 1024),
	} {
		var out bytes.Buffer
		a := lay.NewArchive(&out)
		err := a.Read(bytes.NewReader(data))
		if err == nil {
			_, err = a.Image()
		}
		if err == nil || !strings.Contains(err.Error(), want) || a.Close() == nil {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// Adding a layer verifies its digest.
func TestArchiveAdds(t *testing.T) {
	var out bytes.Buffer
	a := lay.NewArchive(&out)
	d := ocispec.Descriptor{Digest: digest.FromString("weights"), Size: 7}
	if err := a.Add(d, strings.NewReader("WEIGHTS")); err == nil || a.Has(d) {
		t.Errorf("wrong content is added: %v", err)
	}
	must(t, a.Add(d, strings.NewReader("weights")))
	if !a.Has(d) || !strings.Contains(out.String(), "weights") {
		t.Error("it is missing")
	}
}
