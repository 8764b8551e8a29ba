package resolve

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"lamina.build/internal/failure"
	"lamina.build/internal/layout/blobs"
	"lamina.build/internal/resolve/reqfile"
	"lamina.build/internal/resolve/requirements"
	"lamina.build/internal/resolve/userinfo"
	"lamina.build/internal/resolve/uv"
	"lamina.build/llb"
	"lamina.build/lock"
	"lamina.build/spec"
)

// A project keeps its cache, however its directory is named, and shares it with no other.
func TestCacheID(t *testing.T) {
	cache, dir := t.TempDir(), t.TempDir()
	id := func(cache, dir string) string {
		t.Helper()
		id, err := Project{CacheDir: cache, Dir: dir}.cacheID()
		if err != nil || len(id) < 20 {
			t.Fatalf("got %q, %v", id, err)
		}
		return id
	}
	first := id(cache, dir)
	t.Chdir(dir)
	if again := id(cache, "."); again != first {
		t.Errorf("first it is %s, then %s", first, again)
	}
	if other := id(cache, t.TempDir()); other == first {
		t.Error("another project has it, too")
	}
	if other := id(t.TempDir(), dir); other == first {
		t.Error("another user has it, too")
	}
	// A truncated one is made again.
	own, err := filepath.Abs(dir)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(cache, "projects", digest.FromString(own).Encoded()[:32])
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	renewed := id(cache, dir)
	if kept, err := os.ReadFile(name); renewed == first || err != nil || string(kept) != renewed {
		t.Errorf("an empty one became %s, stored is %s, %v", renewed, kept, err)
	}
	if _, err := (Project{CacheDir: filepath.Join(name, "below"), Dir: dir}).cacheID(); err == nil {
		t.Error("a cache directory that can't be made is no error")
	}
}

// A socket's path must fit into a hundred bytes. A temporary directory is used only if nobody
// else may enter it.
func TestSocketsHaveShortPaths(t *testing.T) {
	if got, err := (Project{CacheDir: "/var/lamina"}).sockets(""); got != "/var/lamina/door" || err != nil {
		t.Errorf("they are in %s, %v", got, err)
	}
	temporary, long := t.TempDir(), Project{CacheDir: "/" + strings.Repeat("x", 60)}
	own := filepath.Join(temporary, fmt.Sprintf("lamina-door-%d", os.Getuid()))
	for range 2 { // created, then existing
		if got, err := long.sockets(temporary); got != own || err != nil {
			t.Errorf("they are in %s, %v", got, err)
		}
	}
	corrupted := map[string]func() error{
		"a directory for all": func() error { return errors.Join(os.Mkdir(own, 0o700), os.Chmod(own, 0o755)) },
		"a link":              func() error { return os.Symlink(t.TempDir(), own) },
		"a file":              func() error { return os.WriteFile(own, nil, 0o600) },
	}
	if os.Getuid() == 0 {
		corrupted["somebody else's"] = func() error { return errors.Join(os.Mkdir(own, 0o700), os.Chown(own, 65534, 65534)) }
	}
	for name, corrupt := range corrupted {
		if err := errors.Join(os.RemoveAll(own), corrupt()); err != nil {
			t.Fatal(err)
		}
		if _, err := long.sockets(temporary); failure.KindOf(err) != failure.Usage || !strings.Contains(err.Error(), "is not yours alone") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// Each variant with Python packages needs a Python.
func TestHasPython(t *testing.T) {
	own := lock.ParseSet("python@gpu")
	l := lock.Lock{Requirements: lock.Requirements{
		Requests: []lock.Request{{Set: lock.ParseSet("runtime")}, {Set: lock.ParseSet("runtime@gpu")}},
		Python:   []lock.PythonRequest{{Set: lock.ParseSet("python"), Lines: []string{"six"}}, {Set: own, Lines: []string{"six"}}},
	}}
	l.Packages = []lock.Package{{Name: "python3", For: []lock.Set{lock.ParseSet("runtime")}}}
	err := hasPython(l)
	if failure.KindOf(err) != failure.Usage || err.Error() != "python@gpu: the image has no Python to run these packages" || len(failure.Hints(err)) != 1 {
		t.Errorf("got %v, %q", err, failure.Hints(err))
	}
	l.Python[1].Lines = nil
	if err := hasPython(l); err != nil {
		t.Errorf("of a variant without packages: %v", err)
	}
}

// Logins of requirement files override those of the netrc file.
func TestLogins(t *testing.T) {
	netrc := filepath.Join(t.TempDir(), "netrc")
	if err := os.WriteFile(netrc, []byte("machine a.example login me password one\nmachine b.example login me password two\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"NETRC": netrc}
	p := Project{Env: func(name string) string { return env[name] }}
	unset := userinfo.Unset{Host: "c.example", Err: errors.New("requirements.txt:1: variable TOKEN is not set")}
	p.Requirements.Python = []uv.Request{{Files: reqfile.Set{Found: userinfo.Found{
		Logins: map[string]userinfo.Login{"b.example": {User: "them", Password: "three"}}, Unset: []userinfo.Unset{unset},
	}}}}
	logins, err := p.logins(t.Context(), indexes{})
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]string{"a.example": "me one true", "b.example": "them three true", "c.example": "  false"} {
		user, password, ok := logins.For(&url.URL{Host: host})
		if got := strings.Join([]string{user, password, map[bool]string{true: "true", false: "false"}[ok]}, " "); got != want {
			t.Errorf("of %s it is %q, want %q", host, got, want)
		}
	}
	if err = p.checkLogins(); failure.KindOf(err) != failure.Usage || err.Error() != unset.Err.Error() || len(failure.Hints(err)) != 1 {
		t.Errorf("got %v, %q", err, failure.Hints(err))
	}
	if err = (Project{}).checkLogins(); err != nil {
		t.Errorf("of none: %v", err)
	}
	// Without a named index, none is asked, and the missing logins are passed on.
	access, err := p.Access(t.Context(), lock.Lock{})
	if err != nil || len(access.Unset) != 1 || access.Mirror.Has != nil {
		t.Errorf("got %+v, %v", access.Unset, err)
	}
	env["NETRC"] = t.TempDir()
	if _, err = p.logins(t.Context(), indexes{}); failure.KindOf(err) != failure.Usage || !strings.HasPrefix(err.Error(), "reading logins: ") {
		t.Errorf("of a directory: %v", err)
	}
	t.Chdir(filepath.Dir(netrc)) // a project
	if err = os.Rename(netrc, ".netrc"); err != nil {
		t.Fatal(err)
	}
	for _, home := range []string{"", "."} {
		env["NETRC"], env["HOME"] = "", home
		if logins, err = p.logins(t.Context(), indexes{}); err != nil || len(logins) != 1 {
			t.Errorf("with HOME=%q, the project's file is read: %v, %v", home, len(logins), err)
		}
	}
	env["HOME"] = t.TempDir()
	if logins, err = p.logins(t.Context(), indexes{}); err != nil || len(logins) != 1 {
		t.Errorf("without a file: %v, %v", len(logins), err)
	}
}

// Projects to upgrade that the lock lacks may be misspelt.
func TestTellUnknown(t *testing.T) {
	var notes []string
	p := Project{Note: func(line string) { notes = append(notes, line) }}
	l := lock.Lock{Distributions: []lock.Distribution{{Name: "numpy"}, {Name: "ruamel-yaml"}}}
	p.tellUnknown(uv.Upgrade{Packages: []string{"numpi", "Ruamel.YAML", "numpy"}}, l)
	if len(notes) != 1 || !strings.HasPrefix(notes[0], `can't upgrade "numpi": the lock has no such package`) || !strings.Contains(notes[0], "numpy") {
		t.Errorf("told is %q", notes)
	}
}

// A source tree that variants share is packed once.
func TestSharedSourcesArePackedOnce(t *testing.T) {
	file, err := spec.Parse("image.toml", []byte(`name = "x"
[debian]
packages = ["python3"]
[python]
sources = ["a", "b"]
[variant.gpu.python]
sources = ["a", "c"]
`))
	if err != nil {
		t.Fatal(err)
	}
	var packed []string
	o := Options{Sources: func(_ context.Context, _ string, s spec.Spec, _ *blobs.Store) (map[string]llb.Layer, error) {
		trees := map[string]llb.Layer{}
		for _, dir := range s.Python.Sources {
			packed = append(packed, dir)
			trees[dir] = llb.Layer{Name: dir}
		}
		return trees, nil
	}}
	trees, err := Project{File: file, Requirements: requirements.Requirements{}}.packSources(t.Context(), o, "linux/amd64", nil)
	if err != nil || len(trees) != 3 {
		t.Errorf("got %v, %v", trees, err)
	}
	slices.Sort(packed)
	if diff := cmp.Diff([]string{"a", "b", "c"}, packed); diff != "" {
		t.Errorf("packed (-want +got):\n%s", diff)
	}
	failed := errors.New("x")
	o.Sources = func(context.Context, string, spec.Spec, *blobs.Store) (map[string]llb.Layer, error) {
		return nil, failed
	}
	if _, err = (Project{File: file}).packSources(t.Context(), o, "linux/amd64", nil); !errors.Is(err, failed) {
		t.Errorf("got %v", err)
	}
}

func TestCheckIndex(t *testing.T) {
	for address, want := range map[string]string{
		"": "", "https://i.example/simple/": "", "i.example": `--python-index: index "i.example" is not a URL`, "https://me@i.example": `--python-index: index "…@i.example" holds a login`,
	} {
		if err := CheckIndex(address); (err == nil) != (want == "") || err != nil && !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v", address, err)
		}
	}
}
