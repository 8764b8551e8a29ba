package lamina

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lamina.build/cache"
	"lamina.build/output"
	"lamina.build/stages"
)

// minimal returns a project with only a Debian package, and an empty cache directory.
func minimal(t *testing.T, o Options) *Project {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "image.toml"), []byte("name = \"x\"\n[debian]\npackages = [\"bash\"]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o.CacheDir = filepath.Join(t.TempDir(), "cache")
	p, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

// Invalid builds are reported before anything is done: nothing is locked, no engine is
// looked for, and there is no cache directory yet.
func TestProblemsOfBuilds(t *testing.T) {
	stdout := output.Output{Type: output.Docker, Dest: output.Stdout, Tar: true}
	for _, tt := range []struct {
		name string
		b    Build
		o    Options
		want []string
	}{
		{"several at once", Build{Smoke: "Off", Outputs: []output.Output{stdout, {}}}, Options{}, []string{`smoke level "Off"`, "but Stdout is nil", "an output has no type"}},
		{"two layouts", Build{Outputs: []output.Output{{Type: output.OCI}, {Type: output.OCI, Dest: "a"}}}, Options{}, []string{"only one output can be an OCI layout"}},
		{"a push to nowhere", Build{Outputs: []output.Output{{Type: output.Image, Push: true}}}, Options{}, []string{"needs a name"}},
		{"a push by digest", Build{Outputs: []output.Output{{Type: output.Image, Push: true, Names: []string{"r.example/a@sha256:" + strings.Repeat("0", 64)}}}}, Options{}, []string{"has a digest"}},
		{"a push to a repository in capitals", Build{Outputs: []output.Output{{Type: output.Image, Push: true, Names: []string{"UPPER/x"}}}}, Options{}, []string{`"UPPER/x" is not the name of an image`}},
		{"a push to a host of no name", Build{Outputs: []output.Output{{Type: output.Image, Push: true, Names: []string{"a_b.example/x"}}}}, Options{}, []string{"a_b.example"}},
		{"a cache in capitals", Build{Cache: cache.Remote{Imports: []cache.Entry{{Type: "registry", Attrs: map[string]string{"ref": "UPPER/x"}}}}}, Options{}, []string{`"UPPER/x" is not the name of an image`}},
		{"a cache that is none", Build{Cache: cache.Remote{Imports: []cache.Entry{{Type: "gcs"}}, Exports: []cache.Entry{{Type: "local"}}}}, Options{}, []string{`type "gcs" is not one of`, "type local needs dest="}},
		{"a variant that isn't there", Build{Variant: "minimol"}, Options{}, []string{`no variant "minimol"`, "minimal"}},
		{"no models in their directory", Build{}, Options{Models: t.TempDir()}, []string{"holds no models"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := minimal(t, tt.o)
			_, buildErr := p.Build(t.Context(), tt.b)
			_, drawErr := p.Draw(t.Context(), tt.b)
			for _, err := range []error{buildErr, drawErr} {
				for _, want := range tt.want {
					if KindOf(err) != Usage || !strings.Contains(err.Error(), want) {
						t.Errorf("got %v, want %q", err, want)
					}
				}
			}
			if _, err := os.Stat(p.cacheDir); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the cache directory: %v", err)
			}
		})
	}
	p := minimal(t, Options{})
	if _, err := p.Print(t.Context(), Build{}, "svg"); KindOf(err) != Usage || err.Error() != `unknown graph form "svg"` {
		t.Errorf("unknown form of a graph: %v", err)
	}
	if err := (Build{Smoke: stages.SmokeOff, Stdout: io.Discard, Outputs: []output.Output{stdout}}).Check(); err != nil {
		t.Error(err)
	}
}

// So are invalid options.
func TestProblemsOfOptions(t *testing.T) {
	for _, tt := range []struct {
		o    Options
		want string
	}{
		{Options{Engines: []string{"builder.example:1234"}}, `"builder.example:1234" is not the address of an engine`},
		{Options{Engines: []string{"unix://"}}, `"unix://" is not the address of an engine`},
		{Options{PythonIndex: "./wheels"}, `--python-index: index "./wheels" is not a URL`},
		{Options{PythonIndex: "https://me:secret@i.example"}, `--python-index: index "…@i.example" holds a login`},
		{Options{DebianMirror: "ftp://deb.example"}, "flag --debian-mirror: "},
	} {
		_, err := Open(t.TempDir(), tt.o)
		if KindOf(err) != Usage || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("got %v, want %s", err, tt.want)
		}
		if _, err = OpenEngine(t.Context(), tt.o); KindOf(err) != Usage {
			t.Errorf("opening the engine: %v", err)
		}
	}
	all := Options{Engines: []string{"x"}, PythonIndex: "x", DebianMirror: "x"}.Check()
	if all == nil || strings.Count(all.Error(), "\n") != 2 {
		t.Errorf("all at once: %v", all)
	}
	if err := (Options{Engines: []string{"tcp://builder.example:1234"}, PythonIndex: "https://i.example/simple", DebianMirror: "https://deb.example/debian"}).Check(); err != nil {
		t.Error(err)
	}
}

// The cache directory is found without an environment, and may be relative.
func TestCacheRoot(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", "/the/cache")
	for _, tt := range []struct {
		o    Options
		want string
	}{
		{Options{}, "/the/cache/lamina"},
		{Options{CacheDir: "/named"}, "/named"},
		{Options{Env: func(name string) string { return map[string]string{"HOME": "/home/ada"}[name] }}, "/home/ada/.cache/lamina"},
	} {
		if h, err := newHost(tt.o); err != nil || h.cacheDir != tt.want {
			t.Errorf("got %v, %v, want %s", h, err, tt.want)
		}
	}
	if h, err := newHost(Options{CacheDir: "here"}); err != nil || !filepath.IsAbs(h.cacheDir) {
		t.Errorf("got %v, %v", h, err)
	}
}
