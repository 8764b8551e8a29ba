package lamina

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"lamina.build/cache"
	"lamina.build/spec"
)

// dirOfAll makes a project that reads files of all kinds.
func dirOfAll(t *testing.T, python string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, text := range map[string]string{
		"image.toml": `name = "x"
[[debian.repository]]
url = "https://deb.example/tools"
suite = "stable"
key = "key.asc"
[debian]
packages = ["python3"]
[app]
source = "app"
[python]
` + python,
		"key.asc": "key", "app/main.py": "pass", "app/.dockerignore": "*.pyc", "requirements.txt": "six\n", "constraints.txt": "six<2\n",
		"pyproject.toml": "[project]\nname = \"x\"\ndependencies = []\n", "uv.lock": "version = 1\n", "pylock.toml": "lock-version = \"1.0\"\n",
		"lib/pyproject.toml": "[project]\nname = \"lib\"\ndependencies = []\n",
	} {
		at := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(at), 0o755), os.WriteFile(at, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// readAll reads everything that a build without an engine reads from a directory.
func readAll(ctx context.Context, dir, cache string) error {
	p, err := Open(dir, Options{CacheDir: cache})
	if err != nil {
		return err
	}
	defer p.Close()
	if _, _, err = p.ReadLock(); err != nil {
		return err
	}
	store, err := p.openStore(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	j := job{Project: p, on: "linux/amd64", store: store}
	if j.spec, err = p.Spec(spec.Production); err != nil {
		return err
	}
	_, err = j.packApp(ctx)
	return err
}

const requirementFiles = "requirements = [\"requirements.txt\"]\nconstraints = [\"constraints.txt\"]\n"

// A file of a kind that a project can't have is rejected with one line: nothing waits for
// the other end of a FIFO, and nothing fills the memory.
func TestOddFiles(t *testing.T) {
	kinds := map[string]func(at string) error{
		"FIFO":             func(at string) error { return unix.Mkfifo(at, 0o600) },
		"directory":        func(at string) error { return os.Mkdir(at, 0o700) },
		"link that leaves": func(at string) error { return os.Symlink("/etc/hostname", at) },
		"link to a device": func(at string) error { return os.Symlink("/dev/zero", at) },
		"link that stays":  func(at string) error { return os.Symlink("other", at) },
		"link to itself":   func(at string) error { return os.Symlink(filepath.Base(at), at) },
		"link to a FIFO": func(at string) error {
			return errors.Join(unix.Mkfifo(at+".fifo", 0o600), os.Symlink(filepath.Base(at)+".fifo", at))
		},
		"file without bound": func(at string) error { return errors.Join(os.WriteFile(at, nil, 0o600), os.Truncate(at, 1<<40)) },
	}
	for name, python := range map[string]string{
		"image.toml": "", "image.lock": "", "key.asc": "", "app/.dockerignore": "",
		"requirements.txt": requirementFiles, "constraints.txt": requirementFiles,
		"pyproject.toml": `project = "."`, "uv.lock": `project = "."`, "pylock.toml": `lock = "pylock.toml"`, "lib/pyproject.toml": `sources = ["lib"]`,
	} {
		for kind, put := range kinds {
			t.Run(name+"/"+kind, func(t *testing.T) {
				dir := dirOfAll(t, python)
				at := filepath.Join(dir, name)
				other := filepath.Join(filepath.Dir(at), "other")
				if err := os.Rename(at, other); err != nil && !errors.Is(err, fs.ErrNotExist) { // there is no lock
					t.Fatal(err)
				}
				if err := put(at); err != nil {
					t.Fatal(err)
				}
				cache, told := t.TempDir(), make(chan error, 1)
				go func() { told <- readAll(t.Context(), dir, cache) }()
				select {
				case err := <-told:
					if err == nil || KindOf(err) != Usage || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), filepath.Base(name)) {
						t.Errorf("got %v of kind %d", err, KindOf(err))
					}
					t.Log(err)
				case <-time.After(10 * time.Second):
					t.Fatal("blocked")
				}
			})
		}
	}
	if err := readAll(t.Context(), dirOfAll(t, requirementFiles), t.TempDir()); err != nil {
		t.Errorf("without odd files: %v", err)
	}
}

// An app that is a link could be the project's .git, with a login in its configuration.
func TestAppThatIsALink(t *testing.T) {
	dir := dirOfAll(t, "")
	if err := errors.Join(os.Rename(filepath.Join(dir, "app"), filepath.Join(dir, ".git")), os.Symlink(".git", filepath.Join(dir, "app"))); err != nil {
		t.Fatal(err)
	}
	want := `source: using "app": it is a symbolic link, which is not followed`
	if err := readAll(t.Context(), dir, t.TempDir()); KindOf(err) != Usage || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
}

// A directory of a cache, which a project may have brought, has no links and FIFOs: BuildKit's
// client would follow them and overwrite what is there.
func TestOddCaches(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	check := func() error {
		in, out := cache.Entry{Type: "local", Attrs: map[string]string{"src": dir}}, cache.Entry{Type: "local", Attrs: map[string]string{"dest": dir}}
		err := checkCacheDirs(cache.Remote{Imports: []cache.Entry{in}})
		if again := checkCacheDirs(cache.Remote{Exports: []cache.Entry{out}}); (again == nil) != (err == nil) {
			t.Errorf("as an export: %v; as an import: %v", again, err)
		}
		return err
	}
	if err := check(); err != nil {
		t.Errorf("of no directory: %v", err)
	}
	for _, name := range []string{
		"oci-layout", "index.json", "index.json.lock", "blobs", "blobs/sha256", "blobs/sha256/0a", "ingest", "ingest/0a", "ingest/0a/data",
	} {
		at := filepath.Join(dir, name)
		for kind, put := range map[string]func() error{
			"link": func() error { return os.Symlink(t.TempDir(), at) }, "FIFO": func() error { return unix.Mkfifo(at, 0o600) },
		} {
			if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(filepath.Dir(at), 0o700), put()); err != nil {
				t.Fatal(err)
			}
			if err := check(); KindOf(err) != Usage || !strings.Contains(err.Error(), at) {
				t.Errorf("%s that is a %s: %v", name, kind, err)
			}
		}
	}
	index := filepath.Join(dir, "index.json")
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(filepath.Join(dir, "blobs/sha256"), 0o700), os.WriteFile(index, []byte("{}"), 0o600), check()); err != nil {
		t.Errorf("of plain files: %v", err)
	}
	if err := errors.Join(os.Symlink(dir, dir+"-link"), os.Truncate(index, 1<<40)); err != nil {
		t.Fatal(err)
	}
	if err := check(); KindOf(err) != Usage || !strings.Contains(err.Error(), "index.json") {
		t.Errorf("of an index without bound: %v", err)
	}
	if err := errors.Join(os.Truncate(index, 2), checkCacheDirs(cache.Remote{Imports: []cache.Entry{{Type: "local", Attrs: map[string]string{"src": dir + "-link"}}}})); err != nil {
		t.Errorf("of a link that was typed: %v", err)
	}
	registry := cache.Entry{Type: "registry", Attrs: map[string]string{"ref": "r.example/a"}}
	if err := checkCacheDirs(cache.Remote{Imports: []cache.Entry{registry}, Exports: []cache.Entry{registry, {Type: "inline"}}}); err != nil {
		t.Errorf("in a registry: %v", err)
	}
}
