package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lamina.build"

	"lamina.build/internal/console"
	"lamina.build/internal/failure"
	"lamina.build/output"
)

// given returns the flags of "build image" with only these changed.
func given(change func(*imageOptions)) *imageOptions {
	o := &imageOptions{build: lamina.Build{Variant: "production"}, smoke: &choice{"all", nil}, print: &choice{"", []string{"tree", "json"}}, progress: &choice{"plain", nil}}
	change(o)
	return o
}

func anApp(t *testing.T) *app {
	t.Helper()
	return &app{ui: console.New(io.Discard, io.Discard, func(string) string { return "" }), env: func(string) string { return "" }}
}

// All problems are reported at once, before the directory is read.
func TestProblemsOfAPlan(t *testing.T) {
	for _, tt := range []struct {
		name string
		o    *imageOptions
		want []string
	}{
		{"tags", given(func(o *imageOptions) { o.outputs.Tags = []string{"a b", "a@sha256:" + strings.Repeat("0", 64)} }), []string{
			`flag --tag: "a b" is not the name of an image`, `flag --tag: "a@sha256:` + strings.Repeat("0", 64) + `" has a digest, which only the build determines`,
		}},
		{"no name to push to", given(func(o *imageOptions) { o.outputs.Push = true }), []string{"an image for a registry needs a name: add --tag registry/name:tag"}},
		{"nothing to push", given(func(o *imageOptions) { o.outputs.Push, o.outputs.Outputs = true, []string{"type=oci"} }), []string{"flag --push: no output goes to a registry"}},
		{"two layouts", given(func(o *imageOptions) { o.outputs.Outputs = []string{"type=oci", "type=oci,dest=a,tar=false"} }), []string{"only one output can be an OCI layout in a directory"}},
		{"one place", given(func(o *imageOptions) { o.outputs.Outputs = []string{"type=oci,dest=a", "type=docker,dest=a"} }), []string{"another output already writes there"}},
		{"a tar of no terminal", given(func(o *imageOptions) { o.outputs.Outputs = []string{"type=tar", "type=local,dest=a,name=b"} }), []string{"type=tar needs a dest", "leave name out"}},
		{"annotations of nothing", given(func(o *imageOptions) {
			o.outputs.Outputs, o.outputs.Annotations = []string{"type=local,dest=a", "type=docker"}, []string{"manifest,manifest-descriptor:a=b", "manifest-descriptor:a=b"}
		}), []string{`flag --annotation: no output has a place for "manifest-descriptor:a=b"`}},
		{"an ID of files", given(func(o *imageOptions) { o.outputs.Outputs, o.iidfile = []string{"a", "type=cacheonly"}, "id" }), []string{"flag --iidfile: no output is an image"}},
		{"files below a file", given(func(o *imageOptions) { o.metadata, o.iidfile = "plan.go/x", "none/x" }), []string{
			`flag --metadata-file: directory "plan.go": not a directory`, `flag --iidfile: directory "none": no such file or directory`,
		}},
		{"a tag next to a digest", given(func(o *imageOptions) {
			o.outputs.Outputs, o.outputs.Tags = []string{"type=registry,push-by-digest=true"}, []string{"r.example/a:1"}
		}), []string{"push-by-digest sets no tag; name r.example/a without one"}},
		{"a push by digest that is none", given(func(o *imageOptions) { o.outputs.Outputs = []string{"type=image,push-by-digest=true,name=a"} }), []string{"add push=true"}},
		{"a platform that is none", given(func(o *imageOptions) { o.build.Platforms = []string{"linux/amd64/v1/x"} }), []string{`platform "linux/amd64/v1/x": `}},
		{"an empty platform", given(func(o *imageOptions) { o.build.Platforms = []string{"linux/amd64", ""} }), []string{`platform "": `}},
		{"a view of nothing", given(func(o *imageOptions) { o.quiet = true }), []string{"flag --quiet shows nothing, which contradicts --progress=plain"}},
		{"everything", given(func(o *imageOptions) {
			o.labels, o.outputs.Annotations, o.quiet = []string{"=x"}, []string{"index[linux/amd64]:a=b", "a", "a=b"}, true
			o.outputs.Outputs, o.from, o.metadata, o.options.PythonIndex, o.options.Engines = []string{"type=tap"}, []string{"type=gcs"}, ".", "x", []string{"y"}
		}), []string{
			`type "tap"`, `type "gcs"`, `flag --label: "=x" is not key=value`, "an index is of all platforms", `annotation "a" is not key=value`,
			"flag --quiet", `flag --metadata-file: "." exists and is not a regular file`, `--python-index: index "x"`, `"y" is not the address of an engine`,
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := tt.o.plan(anApp(t), []string{"no directory"})
			if failure.KindOf(err) != failure.Usage || err == nil {
				t.Fatalf("got %v", err)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want %s", err, want)
				}
			}
			if got := strings.Count(err.Error(), "\n") + 1; got != len(tt.want) {
				t.Errorf("%d problems are reported, want %d: %v", got, len(tt.want), err)
			}
		})
	}
}

func TestPlan(t *testing.T) {
	dir := t.TempDir()
	a := anApp(t)
	o := given(func(o *imageOptions) {
		o.from, o.iidfile, o.build.NoCache, o.build.Variant = []string{"r.example/c"}, filepath.Join(dir, "iid"), true, "minimal"
	})
	got, err := o.plan(a, []string{dir})
	b := o.build
	if err != nil || got != dir || b.Variant != "minimal" || b.Smoke != "all" || !b.NoCache || len(b.Cache.Imports) != 1 || b.Stdout == nil {
		t.Errorf("got %s, %+v, %v", got, b, err)
	}
	o.progress.value = "tty"
	if _, err = o.plan(a, []string{dir}); err == nil || !strings.Contains(err.Error(), "tty requires a terminal") {
		t.Errorf("got %v", err)
	}
	o.print.value = "tree"
	if _, err = o.plan(a, []string{dir}); err != nil {
		t.Errorf("a drawing: %v", err)
	}
	if _, err = o.plan(a, []string{"json"}); len(failure.Hints(err)) != 1 || failure.Hints(err)[0] != "write the form of the graph with =: --print=json" {
		t.Errorf("got %v, %q", err, failure.Hints(err))
	}
}

// The directory is the one named, else the current one if it has a spec of any kind: the
// example replaces only a missing spec.
func TestFindDir(t *testing.T) {
	t.Chdir(t.TempDir())
	cache := t.TempDir()
	a := anApp(t)
	a.env = func(name string) string { return map[string]string{"XDG_CACHE_HOME": cache}[name] }
	if dir, err := a.findDir(nil); err != nil || dir != filepath.Join(cache, "lamina", "examples", "wan22-animate") {
		t.Errorf("without a spec it is %q, %v", dir, err)
	}
	if err := os.Symlink("nowhere", lamina.SpecName); err != nil {
		t.Fatal(err)
	}
	if dir, err := a.findDir(nil); err != nil || dir != "." {
		t.Errorf("with a dangling spec it is %q, %v", dir, err)
	}
	for _, tt := range []struct {
		args       []string
		want, hint string
	}{
		{[]string{"none"}, `directory "none" does not exist`, ""},
		{[]string{"a", "b"}, "one directory at a time, not a, b", ""},
		{[]string{"a", "lock"}, "one directory at a time, not a, lock", "put the command first: build lock …"},
	} {
		if _, err := a.findDir(tt.args); failure.KindOf(err) != failure.Usage || err.Error() != tt.want || strings.Join(failure.Hints(err), "") != tt.hint {
			t.Errorf("%q: got %v, %q", tt.args, err, failure.Hints(err))
		}
	}
	if err := os.WriteFile("file", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := a.findDir([]string{"file"}); failure.KindOf(err) != failure.Usage || err.Error() != `"file" is not a directory` || len(failure.Hints(err)) != 1 {
		t.Errorf("a file: %v, %q", err, failure.Hints(err))
	}
}

// The result is printed, and written to the files that scripts requested.
func TestTell(t *testing.T) {
	dir := t.TempDir()
	made := lamina.Made{Name: "x", Variant: "production", Config: "sha256:" + "0123"}
	var stdout, stderr strings.Builder
	a := &app{ui: console.New(&stdout, &stderr, func(string) string { return "" })}
	o := &imageOptions{metadata: filepath.Join(dir, "made.json"), iidfile: filepath.Join(dir, "iid")}
	if err := a.tell(o, made); err != nil || stdout.Len() == 0 || stderr.Len() > 0 {
		t.Errorf("stdout %q, stderr %q, %v", stdout.String(), stderr.String(), err)
	}
	iid, iidErr := os.ReadFile(o.iidfile)
	metadata, err := os.ReadFile(o.metadata)
	if err = errors.Join(iidErr, err); err != nil || string(iid) != "sha256:0123" || !strings.Contains(string(metadata), `"containerimage.config.digest": "sha256:0123"`) {
		t.Errorf("wrote %q and %s, %v", iid, metadata, err)
	}
	// An image on the standard output is alone there.
	stdout.Reset()
	if err := a.tell(&imageOptions{build: lamina.Build{Outputs: []output.Output{{Type: output.Docker, Dest: output.Stdout, Tar: true}}}}, made); err != nil || stdout.Len() > 0 || !strings.HasPrefix(stderr.String(), "build: ") {
		t.Errorf("stdout %q, stderr %q, %v", stdout.String(), stderr.String(), err)
	}
	o.iidfile = filepath.Join(dir, "none", "iid")
	if err := a.tell(o, made); err == nil || !strings.HasPrefix(err.Error(), "writing what was built: ") {
		t.Errorf("got %v", err)
	}
}

func TestChoices(t *testing.T) {
	c := &choice{"a", []string{"a", "b"}}
	if err := c.Set("b"); err != nil || c.String() != "b" || c.Type() != "a|b" {
		t.Errorf("got %s of %s, %v", c, c.Type(), err)
	}
	if err := c.Set("c"); err == nil || fmt.Sprint(c) != "b" {
		t.Errorf("got %s, %v", c, err)
	}
}
