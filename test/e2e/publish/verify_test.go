package publish

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build"

	"lamina.build/internal/layout"
	"lamina.build/internal/referrer"
	"lamina.build/internal/test/e2etest"
	"lamina.build/internal/test/imagetest"
)

// alter tags a copy of the production image, with the same lock, in which the first byte of
// some files is another one.
func alter(t *testing.T, u *e2etest.User, tag string, paths ...string) {
	t.Helper()
	l, image := u.Image(t, lamina.Production)
	ctx, paths := t.Context(), slices.Clone(paths)
	write := func(media string, data []byte) ocispec.Descriptor {
		t.Helper()
		d := ocispec.Descriptor{MediaType: media, Digest: digest.FromBytes(data), Size: int64(len(data))}
		if err := content.WriteBlob(ctx, l.Store(), d.Digest.String(), bytes.NewReader(data), d); err != nil {
			t.Fatal(err)
		}
		return d
	}
	config := map[string]json.RawMessage{}
	text, err := content.ReadBlob(ctx, l.Store(), image.Manifest.Config)
	if err == nil {
		err = json.Unmarshal(text, &config)
	}
	if err != nil {
		t.Fatal(err)
	}
	for i, d := range image.Manifest.Layers {
		var plain []byte
		if err = imagetest.Tar(ctx, l.Store(), d, func(r io.Reader) (err error) { plain, err = io.ReadAll(r); return err }); err != nil {
			t.Fatal(err)
		}
		if paths = slices.DeleteFunc(paths, func(path string) bool { return flip(t, plain, path) }); digest.FromBytes(plain) == image.Config.RootFS.DiffIDs[i] {
			continue
		}
		image.Config.RootFS.DiffIDs[i] = digest.FromBytes(plain)
		if d.MediaType == ocispec.MediaTypeImageLayerZstd {
			w, problem := zstd.NewWriter(nil)
			if problem != nil {
				t.Fatal(problem)
			}
			plain = w.EncodeAll(plain, nil)
		}
		image.Manifest.Layers[i] = write(d.MediaType, plain)
	}
	if len(paths) > 0 {
		t.Fatalf("the image has no %q", paths)
	}
	config["rootfs"], err = json.Marshal(image.Config.RootFS)
	if err == nil {
		text, err = json.Marshal(config)
	}
	image.Manifest.Config = write(image.Manifest.Config.MediaType, text)
	manifest, problem := json.Marshal(image.Manifest)
	if err = errors.Join(err, problem); err != nil {
		t.Fatal(err)
	}
	desc := write(ocispec.MediaTypeImageManifest, manifest)
	attachLock(t, l, image.Desc.Digest, desc, tag)
}

// flip changes the first byte of a file in a tar.
func flip(t *testing.T, plain []byte, path string) bool {
	t.Helper()
	at := bytes.NewReader(plain)
	for r := tar.NewReader(at); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return false
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Name == strings.TrimPrefix(path, "/") && h.Size > 0 {
			plain[len(plain)-at.Len()] ^= 1
			return true
		}
	}
}

// attachLock attaches the lock of an image to another one, and gives that a tag.
func attachLock(t *testing.T, l *layout.Layout, from digest.Digest, to ocispec.Descriptor, tag string) {
	t.Helper()
	list, err := l.Referrers(from)
	at := slices.IndexFunc(list, func(d ocispec.Descriptor) bool { return d.ArtifactType == lamina.LockType() })
	if err != nil || at < 0 {
		t.Fatalf("no lock is attached: %v, %v", list, err)
	}
	data, err := l.Document(t.Context(), list[at])
	if err == nil {
		err = l.Tag(t.Context(), tag, to)
	}
	if err == nil {
		_, err = l.Attach(t.Context(), to, []referrer.Attachment{{Type: lamina.LockType(), Name: "image.lock", Data: data, Annotations: map[string]string{lamina.SnapshotterAnnotation: "unknown"}}})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// examples/faceblend equals what its lock and a checkout give, or the command prints the
// differences: one byte of a file from each source, a file of the app in another checkout, and a
// field of the config.
//
// It runs every step again, twice, so it isn't part of the usual run.
func TestRealVerify(t *testing.T) {
	if os.Getenv("LAMINA_REAL") != "verify" {
		t.Skip("it builds examples/faceblend from nothing, twice: LAMINA_REAL=verify runs it")
	}
	u, dir := e2etest.NewUser(t), e2etest.Example(t)
	private, public := cosignKey(t, "")
	_, other := cosignKey(t, "")
	u.Build(t, dir, "--attach", "lock", "--sign", private)
	built := u.Digest(t)
	alone, _ := e2etest.Alone(t, e2etest.ShortDir(t)) // on an engine of its own, as nobody names one
	alone.Dir = u.Dir
	left := filepath.Join(alone.Cache, "lamina", "verify")
	if err := os.MkdirAll(filepath.Join(left, "image", "of", "a", "killed", "run"), 0o755); err != nil {
		t.Fatal(err)
	}
	alone.Fails(t, 3, []string{"no signature by the required signer"}, "verify", "--key", other, "dist/faceblend", dir)
	if r := alone.Run(t, "verify", "--key", public, "--sign", private, "dist/faceblend", dir); r.Code != 0 || !strings.Contains(r.Stdout, "the same, rebuilt") || !strings.Contains(r.Stdout, built.String()) {
		t.Errorf("exit code %d, it prints\n%s\n%s", r.Code, r.Stdout, e2etest.Tail(r.Stderr))
	}
	stated := func() int {
		return strings.Count(u.Build(t, "inspect", "--key", public, "dist/faceblend").Stdout, "https://slsa.dev/verification_summary/v1  signed")
	}
	if n := stated(); n != 1 {
		t.Errorf("%d signed statements say that it is the same", n)
	}
	if _, err := os.Stat(left); err == nil {
		t.Errorf("%s is left", left)
	}
	altered := []string{"/usr/lib/python3.11/this.py", "/usr/local/lib/python3.11/dist-packages/faceblend_native/nvrtc.py", "/models/faceblend/mask.safetensors", "/app/log.py"}
	alter(t, u, "altered", altered...)
	e2etest.Edit(t, filepath.Join(dir, "app", "model.py"), "import", "#mport")
	e2etest.Edit(t, filepath.Join(dir, "image.toml"), "[app]\n", "[app]\ncommand = [\"now\"]\n")
	statement := filepath.Join(t.TempDir(), "statement.json")
	r := u.Run(t, "verify", "--json", "--sign", private, "--statement", statement, "dist/faceblend:altered", dir)
	if _, err := os.Stat(statement); err == nil || stated() != 1 {
		t.Error("a statement says that it is the same, but it is not")
	}
	var v lamina.Verified
	if err := json.Unmarshal([]byte(r.Stdout), &v); err != nil || r.Code != 3 || v.Equal() {
		t.Fatalf("exit code %d, %v: %s\n%s", r.Code, err, r.Stdout, e2etest.Tail(r.Stderr))
	}
	var got []string
	for _, d := range v.Differences {
		got = append(got, d.String())
	}
	want := slices.Concat(altered, []string{"/app/model.py"})
	for _, path := range want {
		if !slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, ": "+path+": content, from byte ") }) {
			t.Errorf("it does not print %q: %q", path, got)
		}
	}
	if !slices.Contains(got, `config.Cmd: nothing in the one, ["now"] in the other`) || len(got) != len(want)+1 || len(v.Trees) != 2 {
		t.Errorf("it names the differences %q and the trees %q", got, v.Trees)
	}
	if causes := v.Causes(); len(causes) != 1 || !strings.Contains(causes[0], "the image was built with unknown, and rebuilt with ") {
		t.Errorf("it names the causes %q", causes)
	}
	if _, err := os.Stat(filepath.Join(dir, "image.lock")); err != nil {
		t.Error(err)
	}
	e2etest.Edit(t, filepath.Join(dir, "image.toml"), "    \"python3-numpy\",\n", "    \"python3-numpy\",\n    \"hello\",\n")
	u.Fails(t, 3, []string{"hello"}, "verify", "dist/faceblend", dir)
}
