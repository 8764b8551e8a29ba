package weights_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containerd/containerd/v2/plugins/content/local"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"lamina.build/internal/failure"
	"lamina.build/internal/layers"
	"lamina.build/internal/registry"
	"lamina.build/internal/test/testworld"
	"lamina.build/internal/weights"
	"lamina.build/lock"
)

// packed returns the diff IDs of the same files, packed from a directory.
func packed(t *testing.T, m lock.Model) (ids []string) {
	t.Helper()
	dir := t.TempDir()
	for _, f := range m.Files {
		path := filepath.Join(dir, f.Path)
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		file, err := os.Create(path)
		must(t, err)
		_, err = io.Copy(file, &patterned{data: pattern(f.Path), left: f.Size})
		must(t, err, file.Close())
	}
	root, err := os.OpenRoot(dir)
	must(t, err)
	defer root.Close()
	store, err := local.NewStore(t.TempDir())
	must(t, err)
	layers, err := layers.Weights(t.Context(), store, layers.WeightsOptions{Name: "tiny", FS: root.FS(), Target: m.Path, Rename: m.Rename})
	must(t, err)
	for _, l := range layers {
		ids = append(ids, l.DiffID.String())
	}
	return ids
}

func TestPushIsWhatPackMakes(t *testing.T) {
	r := testworld.NewRegistry(t, testworld.RegistryOptions{})
	files := []string{"unet/a.safetensors 67108865", "config.json 17", "empty 0", "vae/old.bin 3000000", "\u00fc.txt 1"}
	for i := range 200 {
		files = append(files, "shards/"+strings.Repeat("x", i+1)+" 3001")
	}
	m := model(t, files...)
	m.Rename = map[string]string{"vae/old.bin": "vae/new.bin"}
	m.Digest = weights.Digest(m).String()
	o := options(t, r, job(t, m, &hub{}))
	image, err := weights.Push(t.Context(), o)
	must(t, err)

	ref, err := name.ParseReference(r.Host + "/acme/tiny:1")
	must(t, err)
	got, err := remote.Image(ref)
	must(t, err)
	config, err := got.ConfigFile()
	must(t, err)
	var ids []string
	for _, id := range config.RootFS.DiffIDs {
		ids = append(ids, id.String())
	}
	if diff := cmp.Diff(packed(t, m), ids); diff != "" {
		t.Errorf("diff ids (-packed +pushed):\n%s", diff)
	}
	labels := map[string]string{weights.Label: m.Digest}
	if diff := cmp.Diff(labels, config.Config.Labels); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
	arrived(t, r, m)
	if d, err := got.Digest(); err != nil || d.String() != image.Manifest.Digest.String() || image.Unchanged || len(image.Layers) != len(ids) {
		t.Errorf("pushed %s, told %+v: %v", d, image, err)
	}
}

// A lock may be passed on, and must pin the same everywhere.
func TestPlanIsPinned(t *testing.T) {
	if lock.ModelPlan != 1 || weights.MaxLayers != 60 {
		t.Error("another limit is another plan: raise lock.ModelPlan, and pin the new ones here")
	}
	r := testworld.NewRegistry(t, testworld.RegistryOptions{Discard: true})
	o := options(t, r, job(t, model(t, "a.bin 70000000", "b.bin 5", "c/d.json 600"), &hub{}))
	image, err := weights.Push(t.Context(), o)
	must(t, err)
	const want = "sha256:f429805c662cfde7e32b63869dda6afc4db9127c71de9bf6959f2b0ad5fc0d8a"
	if got := image.Manifest.Digest.String(); got != want {
		t.Errorf("manifest %s, want %s", got, want)
	}
}

func TestPushAgainDoesNothing(t *testing.T) {
	r := testworld.NewRegistry(t, testworld.RegistryOptions{})
	source := &hub{}
	o := options(t, r, scaled(t, model(t, "a.bin 5000000", "b.bin 5"), source))
	first, err := weights.Push(t.Context(), o)
	must(t, err)
	o.Model.Published = r.Host + "/acme/tiny@" + first.Manifest.Digest.String()
	for _, tt := range []struct {
		name   string
		change func(*weights.PushOptions)
		same   bool
	}{
		{"with the journal", func(o *weights.PushOptions) { o.Model.Published = "" }, true},
		{"with the lock", func(o *weights.PushOptions) { o.Journal = "" }, true},
		{"under another tag", func(o *weights.PushOptions) { o.Tag = "2" }, false},
		{"without a tag", func(o *weights.PushOptions) { o.Tag = "" }, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := o
			var seen history
			o.Progress = seen.note
			tt.change(&o)
			before := source.bytes()
			r.Forget()
			again, err := weights.Push(t.Context(), o)
			must(t, err)
			if again.Unchanged != tt.same || again.Manifest.Digest != first.Manifest.Digest {
				t.Errorf("got %+v, want %+v", again, first)
			}
			if source.bytes() != before || r.Calls("POST /v2/**") != 0 {
				t.Errorf("%d bytes fetched, %d uploads", source.bytes()-before, r.Calls("POST /v2/**"))
			}
			for layer, state := range seen.last() {
				if state != weights.Present {
					t.Errorf("layer %q is in state %d", layer, state)
				}
			}
			if o.Tag != "" && r.Manifest("acme/tiny", o.Tag) == nil {
				t.Errorf("there is no tag %q", o.Tag)
			}
		})
	}
}

func TestPushMountsAndSkips(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*weights.PushOptions)
	}{
		{"published elsewhere", func(o *weights.PushOptions) { o.Journal = "" }},
		{"a repository that is named", func(o *weights.PushOptions) {
			o.Model.Published, o.Published, o.MountFrom = "", nil, []string{"acme/none", "acme/tiny"}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := testworld.NewRegistry(t, testworld.RegistryOptions{})
			o := options(t, r, scaled(t, model(t, "a.bin 5000000", "b.bin 5"), &hub{}))
			first, err := weights.Push(t.Context(), o)
			must(t, err)
			o.Model.Published = r.Host + "/acme/tiny@" + first.Manifest.Digest.String()
			o.Published, o.Repository = o.Repository, repository(t, r, "other/tiny")
			r.AddBlob("other/tiny", r.Blob("acme/tiny", first.Layers[1].Digest))
			tt.change(&o)
			var seen history
			o.Progress = seen.note
			r.Forget()
			again, err := weights.Push(t.Context(), o)
			must(t, err)
			if again.Manifest.Digest != first.Manifest.Digest || r.Received() > 10_000 {
				t.Errorf("%s after %s, with %d bytes sent", again.Manifest.Digest, first.Manifest.Digest, r.Received())
			}
			want := map[string]weights.State{o.Layers[0].Name: weights.Mounted, o.Layers[1].Name: weights.Present}
			if diff := cmp.Diff(want, seen.last()); diff != "" {
				t.Errorf("states (-want +got):\n%s", diff)
			}
		})
	}
}

// If some of the files differ from the lock, everything else still arrives.
func TestPushRefusesWrongBytes(t *testing.T) {
	r := testworld.NewRegistry(t, testworld.RegistryOptions{Discard: true})
	m := model(t, "a.bin 5000000", "b.bin 5000000", "c.bin 5", "d.bin 6", "e.bin 7")
	source := &hub{corrupt: map[string]bool{"b.bin": true, "c.bin": true, "e.bin": true}}
	o := options(t, r, scaled(t, m, source))
	_, err := weights.Push(t.Context(), o)
	if err == nil {
		t.Fatal("there is no error")
	}
	for _, name := range []string{"b.bin", "c.bin", "e.bin"} {
		if !strings.Contains(err.Error(), `file "`+name+`" has the sha256 `) {
			t.Errorf("%q isn't in:\n%v", name, err)
		}
	}
	if wrong, ok := errors.AsType[*weights.MismatchError](err); !ok || wrong.Got == wrong.Want || len(wrong.Got) != 64 {
		t.Errorf("got %+v", wrong)
	}
	if r.Manifest("acme/tiny", "1") != nil || r.Uploads() != 0 {
		t.Errorf("a manifest, or %d uploads, are left", r.Uploads())
	}
	source.corrupt = nil
	r.Forget()
	_, err = weights.Push(t.Context(), o)
	must(t, err)
	if got, all := r.Received(), size(o.Job); got > all-o.Layers[0].Size+10_000 {
		t.Errorf("%d bytes sent, though the largest layer, of %d in all, existed", got, all)
	}
}

func TestPushChecksLimitsFirst(t *testing.T) {
	r := testworld.NewRegistry(t, testworld.RegistryOptions{})
	o := options(t, r, scaled(t, model(t, "a.bin 5000000", "b.bin 5"), &hub{}))
	repo, err := registry.Open(t.Context(), r.Host+"/acme/tiny", registry.Options{Keychain: anonymous{}, Limits: registry.Limits{Name: "small", Layer: mib}})
	must(t, err)
	o.Repository = repo
	r.Forget()
	_, err = weights.Push(t.Context(), o)
	var large *registry.LayerError
	if !errors.As(err, &large) || large.Layer != "tiny/a.bin" || failure.KindOf(err) != failure.Usage {
		t.Errorf("got %v", err)
	}
	if n := r.Calls("/v2/**"); n != 0 {
		t.Errorf("%d requests before the check", n)
	}
}
