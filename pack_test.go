package lamina

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/moby/buildkit/client"
	"github.com/opencontainers/go-digest"

	"lamina.build/internal/failure"
	"lamina.build/internal/layers"
	"lamina.build/llb"
	"lamina.build/lock"
	"lamina.build/spec"
	"lamina.build/stages"
)

// told records the notes of a job.
type told []string

func (n *told) Note(line string) { *n = append(*n, line) }

func (n *told) Watch(context.Context, Work, chan *client.SolveStatus) error { return nil }

// packing returns the job of an image with an app and a model, with its tools unpacked
// as if by an earlier build.
func packing(t *testing.T, files fstest.MapFS) (j job, notes *told) {
	t.Helper()
	notes = &told{}
	h, err := newHost(Options{CacheDir: t.TempDir(), Progress: notes})
	if err != nil {
		t.Fatal(err)
	}
	hash := strings.Repeat("a", 64)
	unpacked := filepath.Join(h.cacheDir, toolsDir, hash[:16], hash[:16])
	dir := t.TempDir()
	if err = errors.Join(os.MkdirAll(unpacked, 0o755), os.WriteFile(filepath.Join(unpacked, "busybox"), nil, 0o755), os.CopyFS(dir, files)); err != nil {
		t.Fatal(err)
	}
	store, err := h.openStore(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	s := spec.Spec{Variant: spec.Production, Weights: spec.WeightsLayers}
	s.App.Source, s.App.Path = "app", "/app"
	s.Models = []spec.Model{{Name: "m", From: "dir:weights", Path: "/app/weights"}}
	return job{
		Project: &Project{host: h, dir: dir, root: root}, Build: Build{Smoke: stages.SmokeAll}, on: "linux/amd64", spec: s, store: store,
		lock: lock.Lock{Packages: []lock.Package{
			{Name: "busybox-static", SHA256: hash, For: []lock.Set{{Kind: lock.SetBootstrap}}},
			{Name: "libeatmydata1", SHA256: hash, For: []lock.Set{{Kind: lock.SetBootstrap}}},
		}},
	}, notes
}

// packed packs a job without an engine.
func (j job) packed(t *testing.T) (stages.Input, error) {
	t.Helper()
	models := make([]stages.Model, len(j.spec.Models))
	for i, m := range j.spec.Models {
		models[i] = stages.Model{Name: m.Name, Path: m.Path}
		if l, ok := j.lock.Model(m.Request()); ok {
			models[i].Locked = &l
		}
	}
	return j.pack(t.Context(), nil, models, nil)
}

func good() fstest.MapFS {
	return fstest.MapFS{"app/handler.py": {Data: []byte("pass")}, "weights/a.bin": {Data: []byte("1")}}
}

func TestPack(t *testing.T) {
	j, _ := packing(t, good())
	in, err := j.packed(t)
	if err != nil {
		t.Fatal(err)
	}
	if in.App == nil || len(in.Models) != 1 || len(in.Models[0].Layers()) != 1 || in.Tools.Blob.Size == 0 {
		t.Errorf("got app %v, models %v, tools %v", in.App, in.Models, in.Tools)
	}
}

// Git trees and lists of models' files count as layers: 127 fit into an image, one more of
// either doesn't.
func TestTreesAndListsCount(t *testing.T) {
	image := func(trees, models int) job {
		j, _ := packing(t, good())
		j.spec.Models = nil
		for i := range models {
			request := lock.ModelRequest{From: fmt.Sprintf("hf://org/m%d@main", i), Path: fmt.Sprintf("/models/%d", i)}
			j.spec.Models = append(j.spec.Models, spec.Model{Name: fmt.Sprintf("m%d", i), From: request.From, Path: request.Path})
			j.lock.Models = append(j.lock.Models, lock.Model{ModelRequest: request})
		}
		for i := range trees {
			j.spec.Git = append(j.spec.Git, spec.Git{URL: "https://git.example/x", Commit: strings.Repeat("1", 40), Path: fmt.Sprintf("/opt/%d", i)})
		}
		return j
	}
	for _, tt := range []struct {
		trees, models int
		fits          bool
	}{{120, 5, true}, {121, 5, false}, {120, 6, false}} {
		in, err := image(tt.trees, tt.models).packed(t)
		_, counted := errors.AsType[*layers.CountError](err)
		if counted == tt.fits || tt.fits && (err != nil || len(in.Trees) != tt.trees || in.Models[0].Locked == nil) {
			t.Errorf("%d trees and %d lists: %v", tt.trees, tt.models, err)
		}
	}
}

func TestTestsThatReadWeightsSayWhatTheyCost(t *testing.T) {
	j, notes := packing(t, good())
	j.spec.Models = []spec.Model{{From: "hf://org/name@main", Path: "/m"}}
	models := []stages.Model{{Path: "/m", Weights: []stages.Weights{{Layers: []llb.Layer{{Name: "w", Size: 57_600_000_000, Paths: []string{"/m/w"}}}}}}}
	for _, tt := range []struct {
		needs bool
		level stages.Level
		want  int
	}{{true, stages.SmokeAll, 1}, {true, stages.SmokeRuntime, 0}, {false, stages.SmokeAll, 0}} {
		*notes = nil
		j.spec.Smoke.NeedsWeights, j.Smoke = tt.needs, tt.level
		if _, err := j.pack(t.Context(), nil, models, nil); err != nil {
			t.Fatal(err)
		}
		if len(*notes) != tt.want || tt.want > 0 && !strings.Contains((*notes)[0], "57.60 GB") {
			t.Errorf("needs weights %v, level %s: notes %q", tt.needs, tt.level, *notes)
		}
	}
}

func TestTreesThatTheUserHasToPutRight(t *testing.T) {
	entry := func(err error) bool { _, ok := errors.AsType[*layers.EntryError](err); return ok }
	pattern := func(err error) bool { _, ok := errors.AsType[*layers.PatternError](err); return ok }
	overlap := func(err error) bool { _, ok := errors.AsType[*layers.OverlapError](err); return ok }
	refused := func(err error) bool { _, ok := errors.AsType[*layers.PathError](err); return ok }
	empty := func(err error) bool { return errors.Is(err, layers.ErrEmpty) }
	tests := []struct {
		name string
		add  fstest.MapFS
		edit func(s *spec.Spec)
		is   func(error) bool
	}{
		{name: "a link that leads out", add: fstest.MapFS{
			"app/etc": {Data: []byte("/etc/passwd/.."), Mode: fs.ModeSymlink},
		}, is: entry},
		{name: "a pattern", add: fstest.MapFS{"app/.dockerignore": {Data: []byte("a[")}}, is: pattern},
		{name: "an include pattern that excludes", edit: func(s *spec.Spec) {
			s.Models[0].Include = []string{"!x"}
		}, is: pattern},
		{name: "nothing left", edit: func(s *spec.Spec) { s.Models[0].Exclude = []string{"**"} }, is: empty},
		{name: "a file in two layers", add: fstest.MapFS{"app/weights/a.bin": {}}, is: overlap},
		{name: "a git tree where the app has files", add: fstest.MapFS{"app/tree/x.py": {}}, edit: func(s *spec.Spec) {
			s.Git = []spec.Git{{URL: "https://git.example/x", Commit: strings.Repeat("1", 40), Path: "/app/tree"}}
		}, is: refused},
		{name: "a git tree where Debian has files", edit: func(s *spec.Spec) {
			s.Git = []spec.Git{{URL: "https://git.example/x", Commit: strings.Repeat("1", 40), Path: "/usr/lib"}}
		}, is: refused},
		{name: "a place that the base has", edit: func(s *spec.Spec) { s.App.Path = "/lib/app" }, is: refused},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			files := good()
			maps.Copy(files, tt.add)
			j, _ := packing(t, files)
			if tt.edit != nil {
				tt.edit(&j.spec)
			}
			_, err := j.packed(t)
			if err == nil || !tt.is(err) || failure.KindOf(err) != failure.Usage {
				t.Errorf("got %v of kind %d", err, failure.KindOf(err))
			}
		})
	}
}

// A lock without the tools, a full disk and the like are not problems of the trees.
func TestOtherTroubleIsNotTheTreesProblem(t *testing.T) {
	j, _ := packing(t, good())
	j.lock.Packages = nil
	if _, err := j.packed(t); err == nil || failure.KindOf(err) != failure.Failure {
		t.Errorf("got %v of kind %d", err, failure.KindOf(err))
	}
}

// An app in the spec's own directory doesn't grow by the outputs of builds.
func TestAppOfTheSpecsOwnDirectory(t *testing.T) {
	digest := func(files fstest.MapFS) string {
		j, _ := packing(t, files)
		j.spec.Name, j.spec.App.Source, j.spec.Models = "image", ".", nil
		in, err := j.packed(t)
		if err != nil {
			t.Fatal(err)
		}
		return in.App.Layer.DiffID.String()
	}
	first := digest(fstest.MapFS{"main.py": {Data: []byte("pass")}, "dist/page.js": {Data: []byte("1")}})
	built := fstest.MapFS{
		"main.py": {Data: []byte("pass")}, "dist/page.js": {Data: []byte("1")},
		"image.lock": {Data: []byte("x")}, "dist/image/index.json": {Data: []byte("{}")},
	}
	if again := digest(built); again != first {
		t.Errorf("at first %s, then %s", first, again)
	}
	if other := digest(fstest.MapFS{"main.py": {Data: []byte("pass")}}); other == first {
		t.Error("the app's own dist is left out")
	}
}

// withWheels adds locked wheels.
func (j job) withWheels(wheels ...lock.Distribution) job {
	j.lock.Python = []lock.PythonRequest{{Set: lock.Set{Kind: lock.SetPython}}}
	for _, d := range wheels {
		d.Version, d.File, d.For = "1.0", d.Name+"-1.0-py3-none-any.whl", []lock.Set{{Kind: lock.SetPython}}
		j.lock.Distributions = append(j.lock.Distributions, d)
	}
	return j
}

func TestWheelsOfTheProjectArePacked(t *testing.T) {
	files := good()
	files["wheels/own.whl"] = &fstest.MapFile{Data: []byte("wheel")}
	own := lock.Distribution{Name: "own", URL: "file:wheels/own.whl", Size: 5, SHA256: digest.FromString("wheel").Encoded()}
	pack := func() (stages.Input, error) {
		j, _ := packing(t, files)
		return j.withWheels(own).packed(t)
	}
	in, err := pack()
	if err != nil {
		t.Fatal(err)
	}
	if l := in.Python.Files["wheels/own.whl"]; l.Image == "" || fmt.Sprint(l.Paths) != "[/own-1.0-py3-none-any.whl]" {
		t.Errorf("packed as %+v", l)
	}

	files["wheels/own.whl"].Data = []byte("another")
	_, err = pack()
	if failure.KindOf(err) != failure.Findings || !strings.Contains(err.Error(), `"wheels/own.whl" is not the file that was locked`) {
		t.Errorf("an altered wheel: %v", err)
	}
	delete(files, "wheels/own.whl")
	_, err = pack()
	if failure.KindOf(err) != failure.Usage || !strings.Contains(err.Error(), "reading own 1.0: ") {
		t.Errorf("a missing wheel: %v", err)
	}
}

// The plan of layers shrinks until it fits, with a note, and leaves the models their part.
func TestManyHeavyWheelsShareALayer(t *testing.T) {
	var wheels []lock.Distribution
	for i := range 70 {
		wheels = append(wheels, lock.Distribution{Name: fmt.Sprintf("heavy-%02d", i), Size: 100_000_000, URL: "https://f.example/x"})
	}
	j, notes := packing(t, good())
	if _, err := j.withWheels(wheels...).packed(t); err != nil {
		t.Fatal(err)
	}
	if want := "12 wheels of 100 MB or more share a layer"; len(*notes) != 1 || !strings.HasPrefix((*notes)[0], want) {
		t.Errorf("notes %q, want %q", *notes, want)
	}
}
