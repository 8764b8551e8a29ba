package readback

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/errdefs"
	"github.com/google/go-cmp/cmp"
	"github.com/moby/buildkit/client"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/internal/layout"
	"lamina.build/internal/test/testworld"
	"lamina.build/output"
)

// Every output gets the whole image: layouts, archives, repositories with all their tags,
// files. The source of the weights makes no difference.
func TestKeep(t *testing.T) {
	for _, from := range []string{"a layout", "the same registry", "another registry", "this machine"} {
		t.Run(from, func(t *testing.T) {
			t.Chdir(t.TempDir())
			r := testworld.NewRegistry(t, testworld.RegistryOptions{})
			sources := modelSources(t, map[string]*testworld.Registry{"the same registry": r, "another registry": testworld.NewRegistry(t, testworld.RegistryOptions{})}[from])
			if from == "this machine" { // whose engine doesn't push
				sources.Send = func(*client.SolveStatus) {}
			}
			var stdout bytes.Buffer
			names := []string{r.Host + "/a:1", r.Host + "/a:2", r.Host + "/b:latest"}
			x := opened(t, &stdout, "type=oci,name=r.example/a:1_,name=b", `type=image,push=true,"name=`+strings.Join(names, ",")+`"`, "type=oci,dest=a.tar", "type=docker,dest=-,name=a:1", "files", "type=tar,dest=files.tar", "type=cacheonly")
			x.Of(picture(t), sources)
			exportTo(t, x, picture(t).Lean(), asIs)
			stale := []byte("of the build before")
			put(t, x.layout.Store(), stale)
			if got := tagged(t, names[0]); got != nil {
				t.Errorf("there is a tag before the image is read back: %s", got)
			}
			r.Forget()
			image, err := x.Keep(t.Context())
			if err = errors.Join(err, x.Close()); err != nil {
				t.Fatal(err)
			}
			want := read(t, write(t, picture(t), x.Outputs[len(x.Outputs)-1]))
			if diff := cmp.Diff(want.Image, image); diff != "" {
				t.Errorf("kept (-want +got):\n%s", diff)
			}
			for i, o := range x.Outputs {
				own := map[output.Type]digest.Digest{
					output.Local: "", output.Tar: "", output.CacheOnly: "", output.Docker: read(t, write(t, picture(t), outputs(t, "type=docker,dest=-")[0])).Desc.Digest,
				}
				if of, other := own[o.Type]; other && x.Kept[i] != of || !other && x.Kept[i] != want.Desc.Digest {
					t.Errorf("output %q is kept as %q", o, x.Kept[i])
				}
			}
			for _, name := range names {
				if got := tagged(t, name); !bytes.Equal(got, want.manifest) {
					t.Errorf("%s is %s", name, got)
				}
			}
			weights := weightsTar(t, "unet")
			if sent := r.ReceivedOf(digest.FromBytes(weights)); (sent > 0) == (from == "the same registry") {
				t.Errorf("%d bytes of a layer were sent", sent)
			}
			for _, where := range []string{"a", "b"} {
				if got := r.Blob(where, digest.FromBytes(weights)); !bytes.Equal(got, weights) {
					t.Errorf("repository %s has %d bytes of it", where, len(got))
				}
			}
			archive, err := os.ReadFile("a.tar")
			if err != nil {
				t.Fatal(err)
			}
			holds(t, archive, "docker.io/library/faceblend:production", want)
			holds(t, stdout.Bytes(), "docker.io/library/a:1", read(t, write(t, picture(t), outputs(t, "type=docker,dest=-")[0])))
			if data, problem := os.ReadFile("files/models/vae"); problem != nil || string(data) != "vae" {
				t.Errorf("the files have %q, %v", data, problem)
			}
			bare, err := os.ReadFile("files.tar")
			if err != nil {
				t.Fatal(err)
			}
			if names := namesIn(t, bare); !slices.Equal(names, []string{"models/", "models/unet", "models/vae"}) {
				t.Errorf("the archive of files has %q", names)
			}
			l := openAt(t, "dist/faceblend")
			if again, problem := l.Read(t.Context(), "production"); problem != nil || again.Desc.Digest != want.Desc.Digest {
				t.Errorf("in the layout is %v, %v", again.Desc, problem)
			}
			if tags, problem := l.Tags(); problem != nil || !slices.Equal(tags, []string{"1_", "latest", "production"}) {
				t.Errorf("the tags of the layout are %q, %v", tags, problem)
			}
			for data, isThere := range map[string]bool{string(stale): false, string(weights): true} {
				if _, err = l.Store().Info(t.Context(), digest.FromString(data)); errdefs.IsNotFound(err) == isThere {
					t.Errorf("%.20q is in the layout: %v", data, err)
				}
			}
		})
	}
}

// Weights that whoever compares an image has already aren't copied for that, from anywhere.
func TestKeepForComparison(t *testing.T) {
	t.Chdir(t.TempDir())
	x := opened(t, nil, "type=oci")
	known := digest.FromBytes(weightsTar(t, "unet"))
	from := modelSources(t, nil)
	from.Known = map[digest.Digest]bool{known: true}
	x.Of(picture(t), from)
	exportTo(t, x, picture(t).Lean(), asIs)
	image, err := x.Keep(t.Context())
	if err = errors.Join(err, x.Close()); err != nil {
		t.Fatal(err)
	}
	if want := read(t, write(t, picture(t), x.Outputs[0])); image.Desc.Digest != want.Desc.Digest {
		t.Errorf("it is %s, not %s", image.Desc.Digest, want.Desc.Digest)
	}
	for _, d := range image.Manifest.Layers {
		_, err := openAt(t, "dist/faceblend").Store().Info(t.Context(), d.Digest)
		if errdefs.IsNotFound(err) != (d.Digest == known) {
			t.Errorf("layer %s is in the layout: %v", d.Digest, err)
		}
	}
}

// Annotations are on the manifest or on its descriptor; an image pushed by digest gets no tag.
func TestKeepAnnotated(t *testing.T) {
	t.Chdir(t.TempDir())
	r := testworld.NewRegistry(t, testworld.RegistryOptions{})
	const notes = ",annotation.a=b,annotation-manifest[linux/amd64].c=<d>"
	x := opened(t, nil, "type=oci,annotation-manifest-descriptor.e=f"+notes, "type=oci,dest=a.tar"+notes, "type=registry,push-by-digest=true,name="+r.Host+"/a"+notes)
	x.Of(picture(t), modelSources(t, nil))
	exportTo(t, x, picture(t).Lean(), asIs)
	image, err := x.Keep(t.Context())
	if err = errors.Join(err, x.Close()); err != nil {
		t.Fatal(err)
	}
	if want := map[string]string{"a": "b", "c": "<d>"}; !cmp.Equal(image.Manifest.Annotations, want) {
		t.Errorf("annotated with %v, want %v", image.Manifest.Annotations, want)
	}
	again, err := openAt(t, "dist/faceblend").Read(t.Context(), "production")
	if want := map[string]string{"e": "f", ocispec.AnnotationRefName: "production", images.AnnotationImageName: "docker.io/library/faceblend:production"}; err != nil || !cmp.Equal(again.Desc.Annotations, want) {
		t.Errorf("the descriptor has %v, want %v, %v", again.Desc.Annotations, want, err)
	}
	want := read(t, write(t, picture(t), x.Outputs[len(x.Outputs)-1]))
	if got := tagged(t, r.Host+"/a:latest"); got != nil {
		t.Errorf("there is a tag: %s", got)
	}
	_, got, err := repository(t, r.Host+"/a").Manifest(t.Context(), want.Desc.Digest.String())
	if err != nil || !bytes.Equal(got, want.manifest) {
		t.Errorf("by its digest there is %s, %v", got, err)
	}
	archive, err := os.ReadFile("a.tar")
	if err != nil {
		t.Fatal(err)
	}
	holds(t, archive, "docker.io/library/faceblend:production", want)
}

func namesIn(t *testing.T, archive []byte) (names []string) {
	t.Helper()
	for r := tar.NewReader(bytes.NewReader(archive)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return names
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, h.Name)
	}
}

func openAt(t *testing.T, dir string) *layout.Layout {
	t.Helper()
	l, err := layout.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// holds checks that an archive contains exactly the image with all its layers.
func holds(t *testing.T, data []byte, name string, want exported) {
	t.Helper()
	files := map[string][]byte{}
	for r := tar.NewReader(bytes.NewReader(data)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil && h.Typeflag == tar.TypeReg {
			files[h.Name], err = io.ReadAll(r)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	var index ocispec.Index
	if err := json.Unmarshal(files["index.json"], &index); err != nil || len(index.Manifests) != 1 || index.Manifests[0].Digest != want.Desc.Digest || index.Manifests[0].Size != want.Desc.Size {
		t.Errorf("the index is %s, %v", files["index.json"], err)
	}
	if got := index.Manifests[0].Annotations[images.AnnotationImageName]; got != name {
		t.Errorf("the archive calls the image %q, and not %q", got, name)
	}
	if strings.Contains(string(files["index.json"]), "distribution.source") {
		t.Errorf("the index mentions pushes: %s", files["index.json"])
	}
	expected := []string{"index.json", "oci-layout"}
	layers := make([]string, 0, len(want.Manifest.Layers))
	for _, d := range want.Manifest.Layers {
		layers = append(layers, "blobs/sha256/"+d.Digest.Encoded())
	}
	config := "blobs/sha256/" + want.Manifest.Config.Digest.Encoded()
	expected = append(expected, layers...)
	expected = append(expected, config, "blobs/sha256/"+want.Desc.Digest.Encoded())
	if text, ok := files["manifest.json"]; ok {
		expected = append(expected, "manifest.json")
		var list []struct {
			Config   string
			RepoTags []string
			Layers   []string
		}
		if err := json.Unmarshal(text, &list); err != nil || len(list) != 1 || list[0].Config != config || !slices.Equal(list[0].Layers, layers) || !slices.Equal(list[0].RepoTags, []string{"a:1"}) {
			t.Errorf("docker load would find %s, %v", text, err)
		}
	}
	var got []string
	for name, content := range files {
		got = append(got, name)
		if hex, ok := strings.CutPrefix(name, "blobs/sha256/"); ok && digest.FromBytes(content).Encoded() != hex {
			t.Errorf("%s is another blob", name)
		}
	}
	slices.Sort(expected)
	slices.Sort(got)
	if diff := cmp.Diff(expected, got); diff != "" {
		t.Errorf("files of the archive (-want +got):\n%s", diff)
	}
}

// An image that differs from what was drawn gets no name and no tag anywhere.
func TestKeepRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		corrupt func(*written)
		sources bool
		want    string
	}{
		"another compression":      {func(w *written) { w.manifest.Layers[0].MediaType = ocispec.MediaTypeImageLayerGzip }, true, "the media type of layer 1 (3 Debian packages)"},
		"no config":                {func(w *written) { w.config = map[string]any{} }, true, "the operating system is "},
		"weights that are nowhere": {asIs, false, "adding finished layers to the image: layer "},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			t.Chdir(dir)
			r := testworld.NewRegistry(t, testworld.RegistryOptions{})
			x := opened(t, nil, "type=oci", "type=image,push=true,name="+r.Host+"/a:1", "type=oci,dest=a.tar")
			var sources Sources
			if tt.sources {
				sources = modelSources(t, nil)
			}
			x.Of(picture(t), sources)
			exportTo(t, x, picture(t).Lean(), tt.corrupt)
			_, err := x.Keep(t.Context())
			if err == nil || strings.Count(err.Error(), tt.want) != 3 || strings.Count(err.Error(), `output "type=`) != 3 {
				t.Errorf("got %v, want %q of three outputs", err, tt.want)
			}
			if err = x.Close(); err != nil {
				t.Error(err)
			}
			if got := tagged(t, r.Host+"/a:1"); got != nil || len(filesIn(t, dir)) > 0 {
				t.Errorf("left are %q and the tag %s", filesIn(t, dir), got)
			}
		})
	}
}

// liar is a store with wrong content for every digest.
type liar struct {
	content.Store
	digest.Digest
}

func (s liar) ReaderAt(ctx context.Context, _ ocispec.Descriptor) (content.ReaderAt, error) {
	return s.Store.ReaderAt(ctx, ocispec.Descriptor{Digest: s.Digest})
}

// Weights are verified, wherever they go.
func TestKeepHashesWhatItAdds(t *testing.T) {
	l := open(t)
	other := weightsTar(t, "evil") // of the same length
	put(t, l.Store(), other)
	r := testworld.NewRegistry(t, testworld.RegistryOptions{})
	for _, line := range []string{"type=oci", "type=oci,dest=a.tar", "type=docker,dest=b.tar", "files", "type=image,push=true,name=" + r.Host + "/a:1"} {
		t.Chdir(t.TempDir())
		x := opened(t, nil, line)
		x.Of(picture(t), Sources{Stores: []content.Provider{liar{l.Store(), digest.FromBytes(other)}}})
		exportTo(t, x, picture(t).Lean(), asIs)
		if _, err := x.Keep(t.Context()); err == nil {
			t.Errorf("%s: wrong content is accepted", line)
		}
		if err := x.Close(); err != nil {
			t.Error(err)
		}
		if left := filesIn(t, "."); len(left) > 0 || tagged(t, r.Host+"/a:1") != nil {
			t.Errorf("%s: left are %q", line, left)
		}
	}
}

// A layer that the manifest names and that is missing is found at once.
func TestKeepMissesLayers(t *testing.T) {
	t.Chdir(t.TempDir())
	x := opened(t, nil, "type=oci")
	x.Of(picture(t), modelSources(t, nil))
	exportTo(t, x, picture(t).Lean(), func(w *written) { delete(w.layers, w.manifest.Layers[1].Digest) })
	if _, err := x.Keep(t.Context()); err == nil || !strings.Contains(err.Error(), "did not arrive") {
		t.Errorf("got %v", err)
	}
	if err := x.Close(); err != nil {
		t.Error(err)
	}
}

// An engine's own store would get weights in whatever form the engine has them.
func TestNoWeightsForTheStoreOfAnEngine(t *testing.T) {
	for weights, want := range map[bool]string{true: `output "type=image,name=a": an engine's own store accepts no image with weights`, false: ""} {
		_, err := NewExports(outputs(t, "type=image,name=a"), "faceblend", "production", weights)
		if got := errors.Join(err); want != "" && (got == nil || got.Error() != want) || want == "" && got != nil {
			t.Errorf("got %v", err)
		}
	}
}

// Manifests that no tag will name never reach the disk; large blobs do at once.
func TestSmallBlobsWaitInMemory(t *testing.T) {
	t.Chdir(t.TempDir())
	x := opened(t, nil, "type=oci")
	x.Of(picture(t), modelSources(t, nil))
	large := bytes.Repeat([]byte("x"), heldSize+1)
	exportTo(t, x, picture(t).Lean(), asIs)
	put(t, x.store, large)
	store := x.layout.Store()
	count := func() (n int) {
		if err := store.Walk(t.Context(), func(content.Info) error { n++; return nil }); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := count(); n != 1 {
		t.Errorf("%d blobs are on the disk, want the large one", n)
	}
	image, err := x.Keep(t.Context())
	if n := count(); err != nil || n != len(image.Manifest.Layers)+2 {
		t.Errorf("%d blobs are on the disk, %v", n, err)
	}
	if err = x.Close(); err != nil {
		t.Error(err)
	}
}
