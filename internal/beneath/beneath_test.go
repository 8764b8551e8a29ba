package beneath_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"lamina.build/internal/beneath"
	"lamina.build/internal/failure"
)

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// world returns a directory with one file of each kind.
func world(t *testing.T) (dir string, root *os.Root) {
	t.Helper()
	dir = t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	must(
		t, os.MkdirAll(at("real/deep"), 0o755), os.WriteFile(at("real/file"), []byte("text"), 0o644),
		os.Symlink("real", at("inside")), os.Symlink(t.TempDir(), at("outside")), os.Symlink("nowhere", at("dangling")),
		os.Symlink("real/file", at("link")), unix.Mkfifo(at("fifo"), 0o644),
	)
	root, err := os.OpenRoot(dir)
	must(t, err)
	t.Cleanup(func() { root.Close() })
	return dir, root
}

// refused wants a usage error with a hint that names what is there.
func refused(t *testing.T, err error, says string) {
	t.Helper()
	if failure.KindOf(err) != failure.Usage || len(failure.Hints(err)) != 1 || !strings.Contains(err.Error(), says) {
		t.Errorf("got %v (kind %d), want %q", err, failure.KindOf(err), says)
	}
}

func TestDirectory(t *testing.T) {
	dir, root := world(t)
	for _, name := range []string{".", "real", "real/deep", "./real//deep/"} {
		at, err := beneath.Dir(root, name)
		must(t, err)
		must(t, at.Close())
	}
	for name, says := range map[string]string{
		"inside": "is a symbolic link", "outside": "is a symbolic link", "dangling": "is a symbolic link", "inside/deep": "is a symbolic link",
		"real/file": "is not a directory", "fifo": "is not a directory", "link": "is a symbolic link",
	} {
		_, err := beneath.Dir(root, name)
		refused(t, err, says)
	}
	for _, name := range []string{"..", "real/../../x", "/etc"} {
		if at, err := beneath.Dir(root, name); err == nil && at.Name() != root.Name() {
			t.Errorf("%s is opened as %s", name, at.Name())
		}
	}
	if _, err := beneath.Dir(root, "none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	must(t, beneath.CheckDir(root, "none"), beneath.CheckDir(root, "real"), beneath.CheckFiles(root, "real"), beneath.CheckFiles(root, "none"))
	must(t, beneath.CheckFile(root, "none"), beneath.CheckFile(root, "real/file"))
	refused(t, beneath.CheckFile(root, "link"), "is a symbolic link")
	refused(t, beneath.CheckFile(root, "fifo"), "is not a regular file")
	refused(t, beneath.CheckDir(root, "inside"), "is a symbolic link")
	refused(t, beneath.CheckFiles(root, "."), "is a symbolic link")
	refused(t, beneath.CheckFiles(root, "inside"), "is a symbolic link and not a directory")
	_, err := beneath.ReadDir(root, "inside")
	refused(t, err, "is a symbolic link and not a directory")
	must(t, unix.Mkfifo(filepath.Join(dir, "real/deep/fifo"), 0o644))
	want := fmt.Sprintf("%q is not a regular file", filepath.Join(dir, "real/deep/fifo"))
	if err = beneath.CheckFiles(root, "real/deep"); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestFile(t *testing.T) {
	dir, root := world(t)
	if data, err := beneath.ReadFile(root, "real"); err == nil {
		t.Errorf("read a directory: %q", data)
	}
	real, err := root.OpenRoot("real")
	must(t, err)
	defer real.Close()
	if data, err := beneath.ReadFile(real, "file"); string(data) != "text" || err != nil {
		t.Errorf("got %q, %v", data, err)
	}
	for _, flag := range []int{os.O_RDONLY, os.O_RDWR | os.O_CREATE, os.O_WRONLY | os.O_TRUNC} {
		for name, says := range map[string]string{"link": "is a symbolic link", "dangling": "is a symbolic link", "fifo": "is not a regular file", "inside": "is a symbolic link"} {
			_, err := beneath.File(root, name, flag, 0o644)
			refused(t, err, says)
		}
	}
	if _, err := os.Lstat(filepath.Join(dir, "nowhere")); err == nil {
		t.Error("a file was made where a link led to")
	}
	for range 2 { // makes it, finds it
		f, err := beneath.File(root, "new", os.O_RDWR|os.O_CREATE, 0o644)
		must(t, err)
		_, err = f.WriteString("text")
		must(t, err, f.Close())
	}
	if f, err := beneath.File(root, "new", os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a new one is %v, %v", f, err)
	}
	if f, err := beneath.File(root, "new", unix.O_DIRECTORY, 0); !errors.Is(err, unix.ENOTDIR) {
		t.Errorf("as a directory it is %v, %v", f, err)
	}
	if _, err := beneath.File(root, "none", os.O_RDONLY, 0); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestPlace(t *testing.T) {
	dir, _ := world(t)
	p := beneath.Place{Typed: filepath.Join(dir, "inside"), Below: "dist/name"} // what is typed may be a link
	paths := func() (list []string) {
		for _, m := range p.Missing() {
			list = append(list, strings.TrimPrefix(m.String(), dir))
		}
		return list
	}
	if diff := cmp.Diff([]string{"/inside/dist", "/inside/dist/name"}, paths()); diff != "" {
		t.Errorf("missing (-want +got):\n%s", diff)
	}
	missing := p.Missing()
	closest, err := p.Nearest()
	must(t, err)
	if closest.Name() != p.Typed {
		t.Errorf("nearest is %s", closest.Name())
	}
	root, err := p.Make()
	must(t, err)
	must(t, root.Close(), closest.Close())
	if got := paths(); got != nil {
		t.Errorf("made, and missing: %q", got)
	}
	must(t, missing[1].Remove(), missing[0].Remove())
	must(t, os.Symlink("../outside", filepath.Join(dir, "real/dist")))
	for _, open := range []func() (*os.Root, error){p.Open, p.Make, p.Nearest} {
		_, err = open()
		refused(t, err, "is a symbolic link")
	}
	if err = missing[1].Remove(); err == nil {
		t.Error("something was removed through a link")
	}
	if got := paths(); got != nil {
		t.Errorf("missing behind a link: %q", got)
	}
	_, err = beneath.Place{Typed: dir, Below: "link"}.Make()
	refused(t, err, "is a symbolic link")
	_, err = beneath.Place{Typed: dir, Below: strings.Repeat("long", 100)}.Make()
	if at, ok := errors.AsType[*fs.PathError](err); !ok || at.Op != "mkdirat" {
		t.Errorf("got %v", err)
	}
	_, err = beneath.Typed(filepath.Join(dir, "fifo")).Open()
	if err == nil || !strings.Contains(err.Error(), "is not a directory") {
		t.Errorf("got %v", err)
	}
}

// A file without bound doesn't fill the memory.
func TestFileWithoutBound(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "index.json"), nil, 0o600), os.Truncate(filepath.Join(dir, "index.json"), 1<<40))
	root, err := os.OpenRoot(dir)
	must(t, err)
	defer root.Close()
	if _, err = beneath.ReadFile(root, "index.json"); failure.KindOf(err) != failure.Usage || !strings.HasSuffix(err.Error(), `index.json" has more than 67108864 bytes`) {
		t.Errorf("got %v", err)
	}
}

// A typed path is made and removed without checks.
func TestTypedPlaces(t *testing.T) {
	dir, _ := world(t)
	t.Chdir(dir)
	defer unix.Umask(unix.Umask(0o022))
	p := beneath.Place{Typed: "new/typed", Below: "below"}
	missing := p.Missing()
	if diff := cmp.Diff([]beneath.Place{beneath.Typed("new"), beneath.Typed("new/typed"), p}, missing); diff != "" {
		t.Errorf("missing (-want +got):\n%s", diff)
	}
	root, err := p.Make()
	must(t, err, root.Close())
	for _, at := range missing {
		if info, bad := os.Stat(at.String()); bad != nil || info.Mode() != fs.ModeDir|0o755 {
			t.Errorf("%s is %v, %v", at, info, bad)
		}
	}
	if err = missing[1].Remove(); !errors.Is(err, unix.ENOTEMPTY) {
		t.Errorf("removed, with what is in it: %v", err)
	}
	must(t, missing[2].Remove(), missing[1].Remove(), missing[0].Remove())
	if diff := cmp.Diff(missing, p.Missing()); diff != "" {
		t.Errorf("missing again (-want +got):\n%s", diff)
	}
	if _, err = beneath.Typed("real/file/x").Make(); err == nil {
		t.Error("a directory was made below a file")
	}
}

// A tree has regular files and directories alone, at any depth, or isn't there yet.
func TestCheckTree(t *testing.T) {
	dir, root := world(t)
	for _, name := range []string{"real", "real/file", "none", "none/deep"} {
		if err := beneath.CheckTree(root, name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"inside", "link", "dangling", "fifo"} {
		refused(t, beneath.CheckTree(root, name), name+"\" is ")
	}
	must(t, unix.Mkfifo(filepath.Join(dir, "real/deep/fifo"), 0o644))
	refused(t, beneath.CheckTree(root, "real"), `deep/fifo" is not a file or directory`)
	must(t, os.Remove(filepath.Join(dir, "real/deep/fifo")), os.Symlink("../file", filepath.Join(dir, "real/deep/more")))
	refused(t, beneath.CheckTree(root, "real"), `deep/more" is `)
	if err := beneath.CheckTree(root, "outside/x"); err == nil {
		t.Error("a link that leads out was followed")
	}
}
