package readback

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/buildkit/client"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/internal/failure"
	"lamina.build/internal/layout"
	"lamina.build/internal/referrer"
	"lamina.build/internal/test/testworld"
	"lamina.build/stages"
)

// pictureFor returns the picture for another platform, with other packages and the same weights.
func pictureFor(t *testing.T, arch string) stages.Image {
	t.Helper()
	image := picture(t)
	image.Config.Architecture = arch
	image.Parts[0].Layers[0].What = "4 Debian packages for " + arch
	image.Config.History[0].Comment = image.Parts[0].Layers[0].What
	return image
}

// exportEach does the work of two platforms' engines, and attaches documents to each image.
func exportEach(t *testing.T, x *Exports, sources Sources) {
	t.Helper()
	for i, arch := range []string{"amd64", "arm64"} {
		image, from := pictureFor(t, arch), sources
		if i > 0 {
			from.Send = nil // an engine on another machine
		}
		x.Of(image, from)
		exportTo(t, x, image.Lean(), asIs)
		x.Documents = func(of layout.Image) ([]referrer.Attachment, error) {
			return []referrer.Attachment{{Type: "text/plain", Name: "x", Data: []byte(of.Config.Architecture)}}, nil
		}
		if i == 0 {
			if err := x.Next(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// The images of two platforms get one name in each destination, through an index, and each gets
// its own documents; common blobs are stored once.
func TestKeepAnIndex(t *testing.T) {
	t.Run("engines that push", func(t *testing.T) { keepAnIndex(t, nil) })
	t.Run("one is on this machine", func(t *testing.T) { keepAnIndex(t, func(*client.SolveStatus) {}) })
}

func keepAnIndex(t *testing.T, send func(*client.SolveStatus)) {
	t.Helper()
	t.Chdir(t.TempDir())
	r := testworld.NewRegistry(t, testworld.RegistryOptions{})
	names := []string{r.Host + "/a:1", r.Host + "/a:2", r.Host + "/b:latest"}
	const notes = ",annotation.a=b,annotation-manifest[linux/arm64].c=d,annotation-index.e=f"
	x, err := NewExports(outputs(t, "type=oci,name=r.example/a:1,annotation-index-descriptor.g=h"+notes, `type=image,push=true,"name=`+strings.Join(names, ",")+`"`+notes, "type=oci,dest=a.tar,annotation-index-descriptor.g=h"+notes,
		"files", "type=tar,dest=files.tar"), "faceblend", "production", true, "linux/amd64", "linux/arm64")
	if err = errors.Join(err, x.Open(t.Context(), nil)); err != nil {
		t.Fatal(err)
	}
	sources := modelSources(t, testworld.NewRegistry(t, testworld.RegistryOptions{}))
	sources.Send = send
	x.IndexDocuments = func(of layout.Image) ([]referrer.Attachment, error) {
		if got := tagged(t, names[0]); got != nil {
			t.Errorf("there is a tag before the documents: %s", got)
		}
		return []referrer.Attachment{{Type: "text/plain", Name: "x", Data: []byte(of.Desc.Digest)}}, nil
	}
	exportEach(t, x, sources)
	if got := tagged(t, names[0]); got != nil {
		t.Errorf("there is a tag before everything is read back: %s", got)
	}
	image, err := x.Keep(t.Context())
	if err = errors.Join(err, x.Close()); err != nil {
		t.Fatal(err)
	}
	index := ocispec.Index{MediaType: ocispec.MediaTypeImageIndex}
	index.SchemaVersion, index.Annotations = 2, map[string]string{"e": "f"}
	for i, arch := range []string{"amd64", "arm64"} {
		o := outputs(t, "type=oci,annotation.a=b"+[]string{"", ",annotation.c=d"}[i])[0]
		want := read(t, write(t, pictureFor(t, arch), o))
		if diff := cmp.Diff(want.Image, x.Images[i]); diff != "" {
			t.Errorf("%s: kept (-want +got):\n%s", arch, diff)
		}
		d := want.Desc
		d.Platform = &ocispec.Platform{OS: "linux", Architecture: arch}
		index.Manifests = append(index.Manifests, d)
		for _, where := range []string{"a", "b"} {
			if got := r.Manifest(where, d.Digest.String()); !bytes.Equal(got, want.manifest) {
				t.Errorf("%s: in %s is %s", arch, where, got)
			}
			list, problem := repository(t, r.Host+"/"+where).Referrers(t.Context(), d.Digest)
			if len(list) != 1 || problem != nil {
				t.Errorf("%s: %v refer to it in %s, %v", arch, list, where, problem)
			}
		}
		for _, file := range []string{"files/linux_" + arch + "/models/vae", "files/linux_" + arch + "/models/unet"} {
			if _, problem := os.Stat(file); problem != nil {
				t.Error(problem)
			}
		}
	}
	want, _ := json.MarshalIndent(index, "", "  ")
	for _, where := range []string{"a", "b"} {
		list, problem := repository(t, r.Host+"/"+where).Referrers(t.Context(), digest.FromBytes(want))
		if len(list) != 1 || problem != nil {
			t.Errorf("%v refer to the index in %s, %v", list, where, problem)
		}
	}
	if len(x.Attached) != 3 {
		t.Errorf("the build reports the artifacts %v, want one for each image and one for the index", x.Attached)
	}
	for i, o := range x.Outputs {
		if is, files := x.Kept[i] == digest.FromBytes(want), !o.HasImage(); is == files {
			t.Errorf("output %q is kept as %q", o, x.Kept[i])
		}
	}
	if image.Desc.Digest != digest.FromBytes(want) || image.Desc.MediaType != ocispec.MediaTypeImageIndex {
		t.Errorf("it is %v", image.Desc)
	}
	for _, name := range names {
		if got := tagged(t, name); !bytes.Equal(got, want) {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	isInLayout(t, "dist/faceblend", index, want)
	isInArchive(t, "a.tar", index, want)
	bare, err := os.ReadFile("files.tar")
	if err != nil {
		t.Fatal(err)
	}
	if got := namesIn(t, bare); !slices.Equal(got, []string{
		"linux_amd64/models/", "linux_amd64/models/unet", "linux_amd64/models/vae", "linux_arm64/models/", "linux_arm64/models/unet", "linux_arm64/models/vae",
	}) {
		t.Errorf("the archive of files has %q", got)
	}
}

// isInLayout wants the index in a layout under its tags, with the documents of each image, even
// after another tag was set.
func isInLayout(t *testing.T, dir string, index ocispec.Index, want []byte) {
	t.Helper()
	l := openAt(t, dir)
	top := ocispec.Descriptor{MediaType: index.MediaType, Digest: digest.FromBytes(want), Size: int64(len(want))}
	if err := l.Tag(t.Context(), "further", top); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Cleanup(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, tag := range []string{"production", "1", "further"} {
		all, err := l.ReadAll(t.Context(), tag)
		if err != nil || len(all) != 2 {
			t.Fatalf("%s: %v, %v", tag, all, err)
		}
		if list, err := l.Referrers(top.Digest); len(list) != 1 || err != nil {
			t.Errorf("%s: %v refer to the index, %v", tag, list, err)
		}
		for i, d := range index.Manifests {
			list, err := l.Referrers(d.Digest)
			if all[i].Desc.Digest != d.Digest || len(list) != 1 || err != nil {
				t.Errorf("%s: is %v, %v refer to it, %v", tag, all[i].Desc, list, err)
			}
			for _, layer := range all[i].Manifest.Layers {
				if _, err = l.Store().Info(t.Context(), layer.Digest); err != nil {
					t.Error(err)
				}
			}
		}
	}
	one := index.Manifests[0] // the images of the index are removed now, with their referrers
	for _, tag := range []string{"production", "1", "further"} {
		if err := l.Tag(t.Context(), tag, one); err != nil {
			t.Fatal(err)
		}
	}
	for _, gone := range []digest.Digest{top.Digest, index.Manifests[1].Digest} {
		if list, err := l.Referrers(gone); len(list) > 0 || err != nil {
			t.Errorf("%v refer to what is gone, %v", list, err)
		}
	}
}

// isInArchive wants the index in an archive, with each blob once.
func isInArchive(t *testing.T, name string, index ocispec.Index, want []byte) {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	blobs := map[string][]byte{}
	for entries := tar.NewReader(bytes.NewReader(data)); ; {
		h, problem := entries.Next()
		if errors.Is(problem, io.EOF) {
			break
		}
		if problem != nil {
			t.Fatal(problem)
		}
		if _, twice := blobs[h.Name]; twice && h.Typeflag == tar.TypeReg {
			t.Errorf("%s is there twice", h.Name)
		}
		if blobs[h.Name], err = io.ReadAll(entries); err != nil {
			t.Fatal(err)
		}
	}
	var top ocispec.Index
	if err = json.Unmarshal(blobs[ocispec.ImageIndexFile], &top); err != nil {
		t.Fatal(err)
	}
	if len(top.Manifests) != 1 || top.Manifests[0].Digest != digest.FromBytes(want) || top.Manifests[0].Annotations["io.containerd.image.name"] != "docker.io/library/faceblend:production" {
		t.Errorf("index.json names %v", top.Manifests)
	}
	for _, d := range append(slices.Clone(index.Manifests), ocispec.Descriptor{Digest: digest.FromBytes(want)}) {
		blob := blobs["blobs/sha256/"+d.Digest.Encoded()]
		var m ocispec.Manifest
		if err = json.Unmarshal(blob, &m); err != nil || digest.FromBytes(blob) != d.Digest {
			t.Errorf("blob %s: %v, %s", d.Digest, err, blob)
		}
		if m.Config.Size == 0 { // the index
			continue
		}
		for _, below := range append(m.Layers, m.Config) {
			if _, ok := blobs["blobs/sha256/"+below.Digest.Encoded()]; !ok {
				t.Errorf("%s is not there", below.Digest)
			}
		}
	}
}

// An output for one image accepts no index, which is reported before anything is built.
func TestNoIndexForWhatTakesOneImage(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, line := range []string{"type=docker", "type=docker,dest=a.tar", "type=image,name=a"} {
		_, err := NewExports(outputs(t, line), "faceblend", "production", false, "linux/amd64", "linux/arm64")
		if err == nil || failure.KindOf(err) != failure.Usage || !strings.Contains(err.Error(), "not an index of linux/amd64, linux/arm64") || len(failure.Hints(err)) != 1 {
			t.Errorf("%s: %v", line, err)
		}
		if _, err = NewExports(outputs(t, line), "faceblend", "production", false, "linux/arm64"); err != nil {
			t.Errorf("%s for one platform: %v", line, err)
		}
	}
}

// A wrong image for one platform leaves nothing of the other.
func TestAnIndexIsKeptWhole(t *testing.T) {
	t.Chdir(t.TempDir())
	r := testworld.NewRegistry(t, testworld.RegistryOptions{})
	x, err := NewExports(outputs(t, "type=image,push=true,name="+r.Host+"/a:1", "type=oci", "type=oci,dest=a.tar"), "faceblend", "production", true, "linux/amd64", "linux/arm64")
	if err = errors.Join(err, x.Open(t.Context(), nil)); err != nil {
		t.Fatal(err)
	}
	sources := modelSources(t, nil)
	for _, arch := range []string{"amd64", "arm64"} {
		image := pictureFor(t, arch)
		x.Of(image, sources)
		exportTo(t, x, image.Lean(), func(w *written) {
			if arch == "arm64" {
				w.config["architecture"] = "amd64"
			}
		})
		if arch == "amd64" {
			err = x.Next(t.Context())
		} else {
			_, err = x.Keep(t.Context())
		}
		if wrong := arch == "arm64"; wrong != (err != nil) {
			t.Fatalf("%s: %v", arch, err)
		}
	}
	if err = x.Close(); err != nil {
		t.Error(err)
	}
	if got := tagged(t, r.Host+"/a:1"); got != nil {
		t.Errorf("there is a tag: %s", got)
	}
	if list := filesIn(t, "."); len(list) > 0 {
		t.Errorf("there is %q", list)
	}
}
