package lamina

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

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
				if err := errors.Join(os.RemoveAll(at), put(at)); err != nil {
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
