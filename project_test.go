package lamina

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"lamina.build/internal/failure"
	"lamina.build/internal/test/e2etest"
	"lamina.build/lock"
	"lamina.build/spec"
)

// A lock of an earlier format only provides versions.
func TestLocksOfAnEarlierFormat(t *testing.T) {
	l := lock.Lock{
		Requirements: lock.Requirements{Platform: "linux/amd64", Python: []lock.PythonRequest{{Set: lock.ParseSet("python"), Lines: []string{"six"}}}},
		Distributions: []lock.Distribution{{
			Name: "six", Version: "1.16.0", File: "six-1.16.0-py2.py3-none-any.whl", URL: "https://f.example/six-1.16.0-py2.py3-none-any.whl",
			Size: 1, SHA256: sum([]byte("six")), For: []lock.Set{lock.ParseSet("python")},
		}},
	}
	p := directory(t)
	if err := os.WriteFile(filepath.Join(p.dir, LockName), e2etest.FormatOne(l), 0o600); err != nil {
		t.Fatal(err)
	}
	_, ok, err := p.ReadLock()
	if ok || !errors.Is(err, lock.ErrOld) || failure.KindOf(err) != failure.Findings || !slices.ContainsFunc(failure.Hints(err), func(h string) bool { return strings.Contains(h, "build lock") }) {
		t.Errorf("got %v, %v", ok, err)
	}
	before, ok, err := p.readBefore()
	if !ok || err != nil {
		t.Fatalf("the lock before can't be read: %v", err)
	}
	if diff := cmp.Diff(l.Distributions, before.Distributions, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("distributions (-want +got):\n%s", diff)
	}
	after := l
	after.UV.Version = "0.13.9"
	if diff := Changes(before, after); !strings.HasSuffix(diff, "none changed\n") {
		t.Errorf("changes %q", diff)
	}
}

// A lock that can't be read is replaced, and a note says what is lost.
func TestALockBeforeThatIsDamaged(t *testing.T) {
	p := directory(t)
	if _, ok, err := p.readBefore(); ok || err != nil {
		t.Errorf("without a lock: %t, %v", ok, err)
	}
	if err := os.WriteFile(filepath.Join(p.dir, LockName), []byte("<<<<<<< HEAD\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := p.readBefore(); ok || err == nil {
		t.Errorf("a damaged lock: %t, %v", ok, err)
	}
}

// A lock that can't be written is reported before it is made.
func TestPlaceOfALock(t *testing.T) {
	p := directory(t)
	if err := p.checkPlace(); err != nil {
		t.Error(err)
	}
	if err := os.Mkdir(p.LockPath(), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := p.checkPlace(); failure.KindOf(err) != failure.Usage || !strings.Contains(err.Error(), "is a directory") {
		t.Errorf("got %v", err)
	}
	p = directory(t)
	if err := os.Remove(p.dir); err != nil {
		t.Fatal(err)
	}
	if err := p.checkPlace(); failure.KindOf(err) != failure.Usage {
		t.Errorf("got %v", err)
	}
}

// An export overwrites only locks of other tools.
func TestExportsHaveTheNameOfALock(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		spec.FileName: "name = \"x\"\n[debian]\npackages = [\"python3\"]\n[python]\nlock = \"pylock.in.toml\"\n", "pylock.in.toml": "lock-version = \"1.0\"\n", "pylock.old.toml": "",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Mkdir(filepath.Join(dir, "pylock.dir.toml"), 0o700), os.Symlink("image.toml", filepath.Join(dir, "pylock.link.toml"))); err != nil {
		t.Fatal(err)
	}
	file, err := spec.Read(os.DirFS(dir), dir)
	if err != nil {
		t.Fatal(err)
	}
	p := &Project{dir: dir, file: file}
	for name, fits := range map[string]bool{
		"pylock.toml": true, "pylock.gpu.toml": true, "pylock.old.toml": true, "pylock.in.toml": false, "pylock.dir.toml": false, "pylock.link.toml": false,
		"image.toml": false, "image.lock": false, "pylock.a.b.toml": false, "app/main.py": false, "/dev/stdout": false,
	} {
		if !filepath.IsAbs(name) {
			name = filepath.Join(dir, name)
		}
		if err := p.checkExport(name); (err == nil) != fits {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if err := p.checkExport("-"); err != nil {
		t.Error(err)
	}
}

// directory returns a project in an empty directory that can only handle its lock.
func directory(t *testing.T) *Project {
	t.Helper()
	p := &Project{dir: t.TempDir()}
	var err error
	if p.root, err = os.OpenRoot(p.dir); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.root.Close() })
	return p
}

func sum(data []byte) string {
	s := sha256.Sum256(data)
	return hex.EncodeToString(s[:])
}
