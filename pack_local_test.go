package lamina

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"lamina.build/internal/failure"
	"lamina.build/internal/layers"
	"lamina.build/llb"
	"lamina.build/lock"
	"lamina.build/spec"
)

// pathsOf returns the paths of a layer, sorted.
func pathsOf(l llb.Layer) []string { return slices.Sorted(slices.Values(l.Paths)) }

// A tree leaves out what using its directory creates, and what its .dockerignore names.
func TestTreesWithoutWhatComesAndGoes(t *testing.T) {
	j, _ := packing(t, fstest.MapFS{
		"app/.dockerignore": {Data: []byte("*.log\n!keep.log\n")}, "app/main.py": {}, "app/a.log": {}, "app/keep.log": {},
		"app/__pycache__/main.pyc": {}, "app/deep/__pycache__/x.pyc": {}, "app/.git/HEAD": {}, "app/deep/x.py": {},
	})
	l, err := j.packTree(t.Context(), "app", "/app", nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"/app/", "/app/deep/", "/app/deep/x.py", "/app/keep.log", "/app/main.py"}, pathsOf(l)); diff != "" {
		t.Errorf("paths (-want +got):\n%s", diff)
	}
	if l.Name != "app" {
		t.Errorf("its name is %q", l.Name)
	}
	if l, err = j.packTree(t.Context(), "app", "/app", nil, "deep", "*.py"); err != nil || slices.Contains(l.Paths, "/app/main.py") {
		t.Errorf("with more left out: %q, %v", l.Paths, err)
	}
}

// Files of environment variables are left out of each tree, which is said, unless its
// .dockerignore includes them.
func TestEnvironmentVariablesAreLeftOut(t *testing.T) {
	for ignore, want := range map[string]string{
		"":                              ".env.local is left out of app, since it may hold secrets",
		"\ufeff*.log\n":                 ".env.local is left out of app, since it may hold secrets",
		"*.log\n.env*\n":                "",
		"\ufeff# defaults\n!.env.local": "",
	} {
		j, notes := packing(t, fstest.MapFS{
			"app/.dockerignore": {Data: []byte(ignore)}, "app/main.py": {}, "app/a.log": {}, "app/.env.local": {Data: []byte("TOKEN=x")}, "app/deep/.env": {}, "app/.envrc": {},
		})
		l, err := j.packTree(t.Context(), "app", "/app", nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, included := slices.Contains(l.Paths, "/app/.env.local"), strings.Contains(ignore, "!"); got != included {
			t.Errorf("with .dockerignore %q it has %q", ignore, l.Paths)
		}
		if !slices.Contains(l.Paths, "/app/.envrc") && !strings.Contains(ignore, ".env*") {
			t.Errorf("with .dockerignore %q it lacks a file of direnv", ignore)
		}
		if want != "" && !slices.ContainsFunc(*notes, func(n string) bool { return strings.HasPrefix(n, `"deep/.env" is left out of app`) }) {
			t.Errorf("with .dockerignore %q nothing says that deep/.env is left out: %q", ignore, *notes)
		}
		if strings.Contains(strings.Join(*notes, ""), "envrc") {
			t.Errorf("with .dockerignore %q it says %q", ignore, *notes)
		}
		if slices.Contains(l.Paths, "/app/deep/.env") {
			t.Errorf("with .dockerignore %q it has the .env of a subdirectory", ignore)
		}
		if strings.Contains(ignore, "*.log") == slices.Contains(l.Paths, "/app/a.log") {
			t.Errorf("with .dockerignore %q it has %q", ignore, l.Paths)
		}
		if said := strings.ReplaceAll(strings.Join([]string(*notes), "\n"), "\"", ""); !strings.Contains(said, want) || (want == "") != (said == "") {
			t.Errorf("with .dockerignore %q it says %q, want %q", ignore, said, want)
		}
	}
}

// A source tree that is the spec's own directory leaves out the spec, outputs and weights;
// any other is complete.
func TestSourcesNextToTheSpec(t *testing.T) {
	j := job{spec: spec.Spec{Models: []spec.Model{{From: "dir:weights"}, {From: "dir:."}, {From: "hf://org/one@main"}}}}
	want := []string{"image.toml", "image.lock", "dist", ".venv", "weights"}
	if diff := cmp.Diff(want, j.besides(".")); diff != "" {
		t.Errorf("left out (-want +got):\n%s", diff)
	}
	if got := j.besides("native"); got != nil {
		t.Errorf("another tree leaves out %q", got)
	}
}

// Trees are packed by directory, with the names in the lock.
func TestSourceTrees(t *testing.T) {
	j, _ := packing(t, fstest.MapFS{"Native_Ext/pyproject.toml": {}, "lib/setup.py": {}, "lib/dist": {Data: []byte("x")}})
	j.spec.Python.Sources = []string{"Native_Ext", "lib"}
	sources, err := j.packSources(t.Context())
	if err != nil || len(sources) != 2 || sources[0].Project != "native-ext" || sources[1].Project != "lib" {
		t.Fatalf("got %+v, %v", sources, err)
	}
	trees, err := j.sourceTrees(t.Context())
	if err != nil || len(trees) != 2 || !slices.Contains(trees["lib"].Paths, "/dist") {
		t.Errorf("got %v, %v", trees, err)
	}
	j.spec.Python.Sources = []string{"none", "nor this"}
	if _, err = j.sourceTrees(t.Context()); err == nil {
		t.Error("missing directories were packed")
	}
}

// An app in the spec's own directory leaves out the outputs of builds; without an app there
// is no layer.
func TestApps(t *testing.T) {
	j, _ := packing(t, good())
	j.spec.App.Source = ""
	if app, err := j.packApp(t.Context()); app != nil || err != nil {
		t.Errorf("without an app: %v, %v", app, err)
	}
	j.spec.App.Entrypoint = []string{"/usr/sbin/nginx"}
	if app, err := j.packApp(t.Context()); err != nil || app == nil || app.Layer.Image != "" || app.Entrypoint[0] != "/usr/sbin/nginx" {
		t.Errorf("an app in packages: %+v, %v", app, err)
	}
	j.spec.App = spec.App{Source: "app", Path: "/app", User: spec.User{Name: "app", UID: 1000}, Entrypoint: []string{"/bin/app"}, Ports: []int{80}}
	app, err := j.packApp(t.Context())
	if err != nil || app.Layer.Name != "app" || app.Path != "/app" || app.User != (llb.User{Name: "app", UID: 1000}) || app.Ports[0] != 80 {
		t.Errorf("got %+v, %v", app, err)
	}
}

// A local file that grew is not read to its end, and is not the locked one.
func TestALocalFileThatGrew(t *testing.T) {
	j, _ := packing(t, fstest.MapFS{"w/own.whl": {Data: []byte("longer than it was")}})
	d := lock.Distribution{Name: "own", Version: "1.0", File: "own.whl", Size: 5, SHA256: sum([]byte("short"))}
	_, err := j.packFile(t.Context(), "w/own.whl", d)
	if KindOf(err) != Findings || err.Error() != `"w/own.whl" is not the file that was locked: it has more than 5 bytes` {
		t.Errorf("got %v", err)
	}
}

// Only problems of the trees themselves are usage errors.
func TestInputError(t *testing.T) {
	for _, err := range []error{&layers.EntryError{Path: "x"}, layers.ErrEmpty} {
		if failure.KindOf(inputError(err)) != failure.Usage {
			t.Errorf("%v is not the tree's", err)
		}
	}
	if other := errors.New("disk full"); inputError(other) != other || inputError(nil) != nil { //nolint:errorlint // the same one
		t.Error("the disk is the tree's problem")
	}
}
