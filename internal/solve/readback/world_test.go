package readback

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/containerd/containerd/v2/core/content"
	tarball "github.com/containerd/containerd/v2/core/images/archive"
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/internal/layout"
	"lamina.build/internal/registry"
	"lamina.build/internal/test/testworld"
	"lamina.build/output"
	"lamina.build/stages"
)

// weightsTar returns a layer of weights.
func weightsTar(t *testing.T, name string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	err := w.WriteHeader(&tar.Header{Name: "models/", Typeflag: tar.TypeDir, Mode: 0o755})
	if err == nil {
		err = w.WriteHeader(&tar.Header{Name: "models/" + name, Mode: 0o644, Size: int64(len(name))})
	}
	if err == nil {
		_, err = w.Write([]byte(name))
	}
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func described(mediaType string, data []byte) ocispec.Descriptor {
	return ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(data), Size: int64(len(data))}
}

// packedApp is the app's layer as the client has packed it.
const packedApp = "packed app"

// picture returns an image of an operating system, two layers of weights, a list and an app.
func picture(t *testing.T) stages.Image {
	t.Helper()
	created := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	model := func(name string) stages.Layer {
		d := described(ocispec.MediaTypeImageLayer, weightsTar(t, name))
		return stages.Layer{What: name, Stored: d, DiffID: d.Digest}
	}
	app := stages.Layer{What: "/app", Stored: described(ocispec.MediaTypeImageLayerZstd, []byte(packedApp)), DiffID: digest.FromString("app")}
	image := stages.Image{Parts: []stages.Part{
		{Stage: "runtime", Layers: []stages.Layer{{What: "3 Debian packages"}}},
		{Stage: "wheels", Layers: []stages.Layer{{What: "torch"}}},
		{Stage: "model", Layers: []stages.Layer{model("unet"), model("vae")}, Added: true},
		{Stage: "app", Layers: []stages.Layer{app}},
	}}
	image.Config.Image = ocispec.Image{
		Created: &created, Platform: ocispec.Platform{OS: "linux", Architecture: "amd64"}, RootFS: ocispec.RootFS{Type: "layers"},
	}
	image.Config.Config.ImageConfig = ocispec.ImageConfig{Entrypoint: []string{"/app/main"}, Env: []string{"A=<b>&c"}}
	image.Config.Config.Healthcheck = &dockerspec.HealthcheckConfig{Test: []string{"CMD", "true"}, Retries: 3}
	for _, p := range image.Parts {
		for _, l := range p.Layers {
			image.Config.History = append(image.Config.History, ocispec.History{Created: &created, CreatedBy: "lamina " + p.Stage, Comment: l.What})
		}
	}
	return image
}

// written is an image as an engine writes it (exporter/containerimage, v0.34.2).
type written struct {
	manifest ocispec.Manifest
	config   map[string]any
	layers   map[digest.Digest][]byte
}

// write does an engine's work for all its layers.
func write(t *testing.T, image stages.Image, o output.Output) *written {
	t.Helper()
	types := typesOf(o)
	w := &written{layers: map[digest.Digest][]byte{}, manifest: ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: types.manifest, Config: ocispec.Descriptor{MediaType: types.config},
	}}
	fs := ocispec.RootFS{Type: "layers"}
	for _, p := range image.Parts {
		for _, l := range p.Layers {
			data, mediaType, diffID := []byte(string(compression(o))+" "+l.What), types.layer, digest.FromString(l.What)
			switch {
			case p.Added:
				data, mediaType, diffID = weightsTar(t, l.What), types.plain, l.DiffID
			case l.Stored.MediaType == types.layer:
				data, diffID = []byte(packedApp), l.DiffID
			case compression(o) == output.Uncompressed:
				data = []byte(l.What)
				if l.DiffID != "" {
					data, diffID = []byte("app"), l.DiffID
				}
			case l.DiffID != "":
				diffID = l.DiffID
			}
			d := described(mediaType, data)
			w.layers[d.Digest] = data
			w.manifest.Layers, fs.DiffIDs = append(w.manifest.Layers, d), append(fs.DiffIDs, diffID)
		}
	}
	text, err := json.Marshal(image.Config)
	if err = errors.Join(err, json.Unmarshal(text, &w.config)); err != nil {
		t.Fatal(err)
	}
	w.manifest.Annotations = annotations(o, false)
	w.config["rootfs"], w.config["history"] = fs, image.Config.History
	return w
}

// blobs returns the image's manifest and config, and the manifest's descriptor.
func (w *written) blobs(t *testing.T) (manifest, config []byte, desc ocispec.Descriptor) {
	t.Helper()
	config, err := json.Marshal(w.config)
	if err != nil {
		t.Fatal(err)
	}
	w.manifest.Config.Digest, w.manifest.Config.Size = digest.FromBytes(config), int64(len(config))
	if manifest, err = json.MarshalIndent(w.manifest, "", "  "); err != nil {
		t.Fatal(err)
	}
	return manifest, config, described(w.manifest.MediaType, manifest)
}

// store exports the image into a layout.
func (w *written) store(t *testing.T, store content.Store) ocispec.Descriptor {
	t.Helper()
	manifest, config, desc := w.blobs(t)
	for _, data := range w.layers {
		put(t, store, data)
	}
	put(t, store, config)
	put(t, store, manifest)
	return desc
}

func put(t *testing.T, store content.Store, data []byte) {
	t.Helper()
	d := described("", data)
	if err := content.WriteBlob(t.Context(), store, d.Digest.String(), bytes.NewReader(data), d); err != nil {
		t.Fatal(err)
	}
}

// archive exports the image as an archive, with the exporter of engines.
func (w *written) archive(t *testing.T, o output.Output, names []string, to io.WriteCloser) {
	t.Helper()
	l := open(t)
	desc := w.store(t, l.Store())
	desc.Annotations = map[string]string{ocispec.AnnotationCreated: "2026-11-01T00:00:00Z", "containerd.io/distribution.source.r.example": "of/another"}
	for i, name := range names { // as an engine does
		repository, tag := output.SplitName(name)
		names[i] = repository + ":" + tag
	}
	options := []tarball.ExportOpt{tarball.WithManifest(desc, names...)}
	if o.Type == output.OCI {
		options = append(options, tarball.WithAllPlatforms(), tarball.WithSkipDockerManifest())
	}
	if err := errors.Join(tarball.Export(t.Context(), l.Store(), to, options...), to.Close()); err != nil {
		t.Fatal(err)
	}
}

// push pushes the image by its digest.
func (w *written) push(t *testing.T, r *registry.Repository) ocispec.Descriptor {
	t.Helper()
	manifest, config, desc := w.blobs(t)
	for _, data := range append([][]byte{config}, values(w.layers)...) {
		if _, err := r.PutBlob(t.Context(), data); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.PutManifest(t.Context(), desc.Digest.String(), desc.MediaType, manifest); err != nil {
		t.Fatal(err)
	}
	return desc
}

func values(m map[digest.Digest][]byte) (list [][]byte) {
	for _, data := range m {
		list = append(list, data)
	}
	return list
}

func open(t *testing.T) *layout.Layout {
	t.Helper()
	l, err := layout.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func repository(t *testing.T, name string) *registry.Repository {
	t.Helper()
	r, err := registry.Open(t.Context(), name, registry.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// modelSources returns the layers of weights in a layout or in a registry.
func modelSources(t *testing.T, in *testworld.Registry) Sources {
	t.Helper()
	model := &written{layers: map[digest.Digest][]byte{}, manifest: ocispec.Manifest{MediaType: ocispec.MediaTypeImageManifest, Config: ocispec.Descriptor{MediaType: ocispec.MediaTypeImageConfig}}, config: map[string]any{}}
	for _, name := range []string{"unet", "vae"} {
		data := weightsTar(t, name)
		model.layers[digest.FromBytes(data)] = data
		model.manifest.Layers = append(model.manifest.Layers, described(ocispec.MediaTypeImageLayer, data))
	}
	if in != nil {
		return Sources{Published: []string{in.Host + "/model@" + model.push(t, repository(t, in.Host+"/model")).Digest.String()}}
	}
	l := open(t)
	model.store(t, l.Store())
	return Sources{Stores: []content.Provider{open(t).Store(), l.Store()}}
}

// exportTo does an engine's work for all outputs.
func exportTo(t *testing.T, x *Exports, image stages.Image, corrupt func(*written)) {
	t.Helper()
	batches, err := x.Batches(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range batches {
		var said ocispec.Descriptor
		for _, i := range b.outputs {
			o, entry := x.outputs[i], x.Entries[i]
			w := write(t, image, o)
			corrupt(w)
			switch {
			case o.Layout(), o.Push && x.from.Send != nil:
				said = w.store(t, b.Entries[len(b.Entries)-1].OutputStore)
			case o.Push:
				for name := range strings.SplitSeq(entry.Attrs["name"], ",") {
					said = w.push(t, repository(t, name))
				}
			default:
				to, err := entry.Output(nil)
				if err != nil {
					t.Fatal(err)
				}
				if !o.HasImage() {
					_, err = to.Write(emptyTar)
					if err = errors.Join(err, to.Close()); err != nil {
						t.Fatal(err)
					}
					continue
				}
				w.archive(t, o, strings.Split(entry.Attrs["name"], ","), to)
			}
		}
		x.Answer(b, said)
	}
}

func asIs(*written) {}

// tagged returns the manifest of a tag, nil if there is none.
func tagged(t *testing.T, name string) []byte {
	t.Helper()
	where, tag := output.SplitName(name)
	_, data, err := repository(t, where).Manifest(context.WithoutCancel(t.Context()), tag)
	if err != nil && !errors.Is(err, registry.ErrNotFound) {
		t.Fatal(err)
	}
	return data
}
