package weights_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"lamina.build/internal/layout"
	"lamina.build/internal/weights"
	"lamina.build/lock"
)

// The layers have every file of the model once, by its path in the image.
func TestLayersHaveEveryFile(t *testing.T) {
	t.Parallel()
	m := model(t, "a/config.json 17", "empty 0", "vae/old.bin 3000", "z.bin 5")
	m.Rename = map[string]string{"vae/old.bin": "vae/new.bin"}
	layers, err := weights.Layers("tiny", m, weights.MaxLayers)
	must(t, err)
	got, want := map[string]lock.ModelFile{}, map[string]lock.ModelFile{}
	for _, l := range layers {
		for target, f := range l.Files {
			if _, twice := got[target]; twice {
				t.Errorf("%q is in two layers", target)
			}
			got[target] = f
		}
	}
	for _, f := range m.Files {
		want[strings.TrimPrefix(m.Path, "/")+"/"+m.Target(f.Path)] = f
	}
	delete(want, "models/tiny/empty") // nothing to fetch
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files (-lock +layers):\n%s", diff)
	}
}

// Errors of a lock that would show only after the download are found before.
func TestLayersOfNoGoodLock(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ path, sum, want string }{
		{"a.bin", "abc", `file "a.bin": "abc" is not a sha256`},
		{"a.bin", strings.Repeat("z", 64), "is not a sha256"},
		{"empty", strings.Repeat("0", 64), `file "empty" has the sha256 e3b0c442`},
	} {
		m := model(t, "a.bin 5", "empty 0")
		i := slices.IndexFunc(m.Files, func(f lock.ModelFile) bool { return f.Path == tt.path })
		m.Files[i].SHA256 = tt.sum
		_, err := weights.Layers("tiny", m, weights.MaxLayers)
		if err == nil || !strings.HasPrefix(err.Error(), `planning weights "tiny": `) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("got %v, want %q", err, tt.want)
		}
	}
}

// pulled returns a layout with a model under its own tag.
func pulled(t *testing.T, j weights.Job) (*layout.Layout, weights.Image) {
	t.Helper()
	o := into(t, j)
	o.Tag = j.LayoutTag()
	image, err := weights.Pull(t.Context(), o)
	must(t, err)
	l, err := layout.Open(t.Context(), o.Dir)
	must(t, err)
	t.Cleanup(func() { must(t, l.Close()) })
	return l, image
}

func digests(image weights.Image) (all []digest.Digest) {
	for _, l := range image.Layers {
		all = append(all, l.Digest)
	}
	return all
}

// An image is found if it is complete, and of the same model.
func TestFind(t *testing.T) {
	t.Parallel()
	j := job(t, model(t, "a.bin 3000", "b.bin 5"), &hub{})
	l, image := pulled(t, j)
	found, ok, err := j.Find(t.Context(), l)
	image.Unchanged = true
	image.Manifest.Platform, found.Manifest.Platform = nil, nil // an index may have it or not
	found.Manifest.Annotations = nil
	if diff := cmp.Diff(image, found); diff != "" || !ok || err != nil {
		t.Errorf("got %t, %v, (-pulled +found):\n%s", ok, err, diff)
	}
	other := job(t, model(t, "a.bin 3000", "b.bin 6"), &hub{})
	if _, ok, err := other.Find(t.Context(), l); ok || err != nil {
		t.Errorf("another model: got %t, %v", ok, err)
	}
	// The tag of one model names the image of another: it is checked, and not trusted.
	must(t, l.Tag(t.Context(), other.LayoutTag(), image.Manifest))
	if _, ok, err := other.Find(t.Context(), l); ok || err != nil {
		t.Errorf("another's tag: got %t, %v", ok, err)
	}
	must(t, l.Store().Delete(t.Context(), image.Layers[0].Digest))
	if _, ok, err := j.Find(t.Context(), l); ok || err != nil {
		t.Errorf("a layer that is gone: got %t, %v", ok, err)
	}
}

// Layers are named as an image only if they are those of the plan, and if writing it
// succeeds.
func TestKeep(t *testing.T) {
	t.Parallel()
	j := scaled(t, model(t, "a.bin 1100000", "b.bin 5"), &hub{})
	for _, tt := range []struct {
		name   string
		change func(t *testing.T, l *layout.Layout, layers []digest.Digest) []digest.Digest
		want   string
	}{
		{"all of them", func(_ *testing.T, _ *layout.Layout, layers []digest.Digest) []digest.Digest { return layers }, ""},
		{"one less", func(_ *testing.T, _ *layout.Layout, layers []digest.Digest) []digest.Digest { return layers[1:] }, "keeping weights: 1 layers were made, but the plan has 2"},
		{"another order", func(_ *testing.T, _ *layout.Layout, layers []digest.Digest) []digest.Digest {
			return []digest.Digest{layers[1], layers[0]}
		}, `keeping weights: layer "tiny/a.bin" has `},
		{"one that is gone", func(t *testing.T, l *layout.Layout, layers []digest.Digest) []digest.Digest {
			t.Helper()
			must(t, l.Store().Delete(t.Context(), layers[1]))
			return layers
		}, "keeping weights: "},
		{"a disk that can't be written to", func(t *testing.T, l *layout.Layout, layers []digest.Digest) []digest.Digest {
			t.Helper()
			ingest := filepath.Join(l.Dir(), "ingest")
			must(t, os.RemoveAll(ingest), os.WriteFile(ingest, nil, 0o600))
			return layers
		}, "storing the image: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := into(t, j)
			image, err := weights.Pull(t.Context(), o)
			must(t, err)
			l, err := layout.Open(t.Context(), o.Dir)
			must(t, err)
			defer l.Close()
			for _, d := range []digest.Digest{image.Manifest.Digest, configOf(t, l, o.Tag)} { // to be written again
				must(t, l.Store().Delete(t.Context(), d))
			}
			kept, err := j.Keep(t.Context(), l, tt.change(t, l, digests(image)))
			if tt.want != "" {
				if _, noTag := l.Read(t.Context(), j.LayoutTag()); err == nil || !strings.Contains(err.Error(), tt.want) || noTag == nil {
					t.Errorf("got %v, want %q and no tag: %v", err, tt.want, noTag)
				}
				return
			}
			must(t, err)
			if diff := cmp.Diff(image, kept); diff != "" {
				t.Errorf("images (-pulled +kept):\n%s", diff)
			}
			if _, ok, err := j.Find(t.Context(), l); !ok || err != nil {
				t.Errorf("it isn't found afterwards: %v", err)
			}
		})
	}
}

func configOf(t *testing.T, l *layout.Layout, tag string) digest.Digest {
	t.Helper()
	image, err := l.Read(t.Context(), tag)
	must(t, err)
	return image.Manifest.Config.Digest
}
