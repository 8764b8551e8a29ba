package prepare_test

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"lamina.build/internal/failure"
	"lamina.build/internal/layers"
	"lamina.build/internal/prepare"
	"lamina.build/llb"
	"lamina.build/lock"
	"lamina.build/spec"
	"lamina.build/stages"
)

// options are those of an image with an app and a model, and the tools where
// an earlier build has unpacked them.
func options(t *testing.T, files fstest.MapFS) prepare.Options {
	t.Helper()
	store, err := layers.OpenStore(t.Context(), t.TempDir(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	hash := strings.Repeat("a", 64)
	tools := t.TempDir()
	unpacked := filepath.Join(tools, hash[:16], hash[:16])
	if err = os.MkdirAll(unpacked, 0o755); err == nil {
		err = os.WriteFile(filepath.Join(unpacked, "busybox"), nil, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	s := spec.Spec{Platform: "linux/amd64", Variant: spec.Production, Weights: spec.WeightsLayers}
	s.App.Source, s.App.Path = "app", "/app"
	s.Models = []spec.Model{{Name: "m", From: "dir:weights", Path: "/app/weights"}}
	return prepare.Options{
		Root: files, Spec: s, Store: store, ToolsDir: tools,
		Lock: lock.Lock{Packages: []lock.Package{
			{Name: "busybox-static", SHA256: hash, For: []lock.Set{{Kind: lock.SetBootstrap}}},
			{Name: "libeatmydata1", SHA256: hash, For: []lock.Set{{Kind: lock.SetBootstrap}}},
		}},
	}
}

func good() fstest.MapFS {
	return fstest.MapFS{"app/handler.py": {Data: []byte("pass")}, "weights/a.bin": {Data: []byte("1")}}
}

func TestInput(t *testing.T) {
	in, err := prepare.Input(t.Context(), options(t, good()))
	if err != nil {
		t.Fatal(err)
	}
	if in.App == nil || len(in.Models) != 1 || len(in.Models[0].Layers) != 1 || in.Tools.Blob.Size == 0 {
		t.Errorf("got app %v, models %v, tools %v", in.App, in.Models, in.Tools)
	}
}

// Git trees and lists of models' files are layers, too: an image with 127 is built,
// and with one more of either it is not.
func TestTreesAndListsCount(t *testing.T) {
	image := func(trees, models int) prepare.Options {
		o := options(t, good())
		o.Spec.Models = nil
		for i := range models {
			request := lock.ModelRequest{From: fmt.Sprintf("hf://org/m%d@main", i), Path: fmt.Sprintf("/models/%d", i)}
			o.Spec.Models = append(o.Spec.Models, spec.Model{Name: fmt.Sprintf("m%d", i), From: request.From, Path: request.Path})
			o.Lock.Models = append(o.Lock.Models, lock.Model{ModelRequest: request})
		}
		for i := range trees {
			o.Spec.Git = append(o.Spec.Git, spec.Git{URL: "https://git.example/x", Commit: strings.Repeat("1", 40), Path: fmt.Sprintf("/opt/%d", i)})
		}
		return o
	}
	for _, tt := range []struct {
		trees, models int
		fits          bool
	}{{120, 5, true}, {121, 5, false}, {120, 6, false}} {
		in, err := prepare.Input(t.Context(), image(tt.trees, tt.models))
		_, counted := errors.AsType[*layers.CountError](err)
		if counted == tt.fits || tt.fits && (err != nil || len(in.Trees) != tt.trees || in.Models[0].Locked == nil) {
			t.Errorf("%d trees and %d lists: %v", tt.trees, tt.models, err)
		}
	}
}

func TestTestsThatReadWeightsSayWhatTheyCost(t *testing.T) {
	o := options(t, good())
	var notes []string
	o.Note = func(line string) { notes = append(notes, line) }
	o.Models = []stages.Model{{Image: &llb.ModelImage{Layers: []llb.Layer{{Name: "w", Size: 57_600_000_000, Paths: []string{"/m/w"}}}}}}
	o.Spec.Models = []spec.Model{{From: "hf://org/name@main", Path: "/m"}}
	for _, tt := range []struct {
		needs bool
		level stages.Level
		want  int
	}{{true, stages.SmokeAll, 1}, {true, stages.SmokeRuntime, 0}, {false, stages.SmokeAll, 0}} {
		notes = nil
		o.Spec.Smoke.NeedsWeights, o.Level = tt.needs, tt.level
		if _, err := prepare.Input(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		if len(notes) != tt.want || tt.want > 0 && !strings.Contains(notes[0], "57.60 GB") {
			t.Errorf("needs weights %v, level %s: told %q", tt.needs, tt.level, notes)
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
			o := options(t, files)
			if tt.edit != nil {
				tt.edit(&o.Spec)
			}
			_, err := prepare.Input(t.Context(), o)
			if err == nil || !tt.is(err) || failure.KindOf(err) != failure.Usage {
				t.Errorf("got %v of kind %d", err, failure.KindOf(err))
			}
		})
	}
}

// A lock without the tools, a full disk and the like are nothing that another
// tree would help against.
func TestOtherTroubleIsNotTheTreesFault(t *testing.T) {
	o := options(t, good())
	o.Lock.Packages = nil
	if _, err := prepare.Input(t.Context(), o); err == nil || failure.KindOf(err) != failure.Failure {
		t.Errorf("got %v of kind %d", err, failure.KindOf(err))
	}
}

// An app that is the spec's own folder doesn't grow by what builds leave there.
func TestAppOfTheSpecsOwnFolder(t *testing.T) {
	digest := func(files fstest.MapFS) string {
		o := options(t, files)
		o.Spec.Name, o.Spec.App.Source, o.Spec.Models = "image", ".", nil
		in, err := prepare.Input(t.Context(), o)
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
		t.Errorf("first it is %s, then %s", first, again)
	}
	if other := digest(fstest.MapFS{"main.py": {Data: []byte("pass")}}); other == first {
		t.Error("a dist of the app's own is left out")
	}
}
