package weights_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/internal/failure"
	"lamina.build/internal/test/testworld"
	"lamina.build/internal/weights"
	"lamina.build/llb"
)

// A published reference in a lock is trusted only if it has the same files by the same
// rules: else the layers are made again.
func TestPushBelievesWhatIsOfTheSame(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		corrupt func(*ocispec.Manifest)
		anew    bool
	}{
		{"as it was", func(*ocispec.Manifest) {}, false},
		{"more annotations", func(m *ocispec.Manifest) { m.Annotations["more"] = "words" }, false},
		{"other files", func(m *ocispec.Manifest) { m.Annotations[weights.Label] = "sha256:" + strings.Repeat("0", 64) }, true},
		{"other rules", func(m *ocispec.Manifest) { m.Annotations["build.lamina.plan"] = "0" }, true},
		{"no annotations", func(m *ocispec.Manifest) { m.Annotations = nil }, true},
		{"a layer less", func(m *ocispec.Manifest) { m.Layers = m.Layers[1:] }, true},
		{"another size", func(m *ocispec.Manifest) { m.Layers[0].Size++ }, true},
		{"compressed", func(m *ocispec.Manifest) { m.Layers[0].MediaType = ocispec.MediaTypeImageLayerGzip }, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := testworld.NewRegistry(t, testworld.RegistryOptions{})
			source := &hub{}
			o := options(t, r, scaled(t, model(t, "a.bin 1100000", "b.bin 5"), source))
			first, err := weights.Push(t.Context(), o)
			must(t, err)
			var m ocispec.Manifest
			must(t, json.Unmarshal(r.ImageManifest("acme/tiny", "1"), &m))
			tt.corrupt(&m)
			data, err := json.Marshal(m)
			must(t, err, o.Repository.PutManifest(t.Context(), "odd", m.MediaType, data))
			o.Model.Published = r.Host + "/acme/tiny@" + digest.FromBytes(data).String()
			o.Journal, o.Tag = "", "2"
			before := source.bytes()
			again, err := weights.Push(t.Context(), o)
			must(t, err)
			if got := source.bytes() > before; got != tt.anew || again.Manifest.Digest != first.Manifest.Digest {
				t.Errorf("made again: %t, and %s after %s", got, again.Manifest.Digest, first.Manifest.Digest)
			}
			check(t, o.Model, r.ImageManifest("acme/tiny", "2"), func(d digest.Digest) []byte { return r.Blob("acme/tiny", d) })
		})
	}
}

// A lock may outlive its published reference; a broken registry is another matter.
func TestPushWhereNothingIsPublishedAnyMore(t *testing.T) {
	t.Parallel()
	r := testworld.NewRegistry(t, testworld.RegistryOptions{})
	o := options(t, r, job(t, model(t, "a.bin 3000"), &hub{}))
	o.Model.Published = r.Host + "/acme/tiny@" + digest.FromString("gone").String()
	r.Fail("GET /v2/acme/tiny/manifests/**", testworld.Status(http.StatusForbidden, 1))
	_, err := weights.Push(t.Context(), o)
	if failure.KindOf(err) != failure.Usage || !strings.Contains(err.Error(), "reading the published model: ") {
		t.Errorf("got %v", err)
	}
	_, err = weights.Push(t.Context(), o)
	must(t, err)
	arrived(t, r, o.Model)
}

// An unreadable mark of an upload costs hashing, but not a byte of traffic.
func TestPushWithADamagedMark(t *testing.T) {
	t.Parallel()
	for name, field := range map[string]string{"of the layer": "layer", "of the file": "file"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := testworld.NewRegistry(t, testworld.RegistryOptions{})
			source := &hub{}
			o := options(t, r, job(t, model(t, "a.bin 3000000"), source))
			killAt(t, o, 8*chunk) // more is left than there are buffers
			damageMarks(t, o.Journal, field)
			before := source.bytes()
			r.Forget()
			_, err := weights.Push(t.Context(), o)
			must(t, err)
			if sent, fetched := r.Received(), source.bytes()-before; sent > 2_100_000 || fetched != 3_000_000 {
				t.Errorf("%d bytes sent, %d fetched", sent, fetched)
			}
			arrived(t, r, o.Model)
			noLitter(t, o.Journal)
		})
	}
}

// damageMarks makes a field of the marks unreadable, and leaves everything else.
func damageMarks(t *testing.T, journal, field string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(journal, "*.json"))
	must(t, err)
	for _, path := range files {
		data, err := os.ReadFile(path)
		var r struct {
			Location string           `json:"location"`
			Marks    []map[string]any `json:"marks"`
		}
		must(t, err, json.Unmarshal(data, &r))
		if len(r.Marks) < 2 {
			t.Errorf("%d marks in %s", len(r.Marks), path)
		}
		for _, m := range r.Marks {
			m[field] = []byte("none")
		}
		data, err = json.Marshal(r)
		must(t, err, os.WriteFile(path, data, 0o600))
	}
}

// The names, sizes and paths of the layers are the same, whoever makes them.
func TestOutline(t *testing.T) {
	t.Parallel()
	m := model(t, "a.bin 70000", "b/c.json 5", "empty 0")
	j, err := weights.NewJob(m)
	must(t, err)
	want := []llb.Layer{{Name: m.Name() + "/a.bin and 2 more", Size: j.Layers[0].Size, Paths: []string{
		"/models/", "/models/tiny/", "/models/tiny/a.bin", "/models/tiny/b/", "/models/tiny/b/c.json", "/models/tiny/empty",
	}}}
	if diff := cmp.Diff(want, j.Outline()); diff != "" {
		t.Errorf("layers (-want +got):\n%s", diff)
	}
	for i := range m.Files {
		m.Files[i].URL = "https://files.test/" + m.Files[i].Path
	}
	j, err = weights.NewJob(m)
	must(t, err)
	def, err := llb.Marshal(t.Context(), llb.Merge("weights", j.Fetched()...), ocispec.Platform{OS: "linux", Architecture: "amd64"})
	must(t, err)
	var graph strings.Builder
	for _, op := range def.Def {
		graph.Write(op)
	}
	for _, part := range []string{"https://files.test/a.bin", "https://files.test/b/c.json", m.Files[0].SHA256, "/models/tiny/empty"} {
		if !strings.Contains(graph.String(), part) {
			t.Errorf("%q isn't in the graph", part)
		}
	}
	if strings.Contains(graph.String(), "https://files.test/empty") {
		t.Error("a file of no bytes is fetched")
	}
}

func TestHints(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]error{
		"lock the model again once you know why": &weights.MismatchError{File: "a"},
		"free space or choose another directory": &weights.SpaceError{Dir: "a", Need: 5},
	} {
		if hints := failure.Hints(err); len(hints) != 1 || !strings.Contains(hints[0], want) {
			t.Errorf("%v: got %q, want %q", err, hints, want)
		}
	}
}
