package beneath_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"golang.org/x/sys/unix"

	"lamina.build/internal/beneath"
	"lamina.build/internal/failure"
)

// A directory of plain files behaves like any file system.
func TestFilesOfAProject(t *testing.T) {
	dir := t.TempDir()
	must(
		t, os.MkdirAll(filepath.Join(dir, "a/b"), 0o755), os.WriteFile(filepath.Join(dir, "a/b/c"), []byte("text"), 0o644),
		os.Symlink("a/b", filepath.Join(dir, "link")), os.Mkdir(filepath.Join(dir, "d"), 0o755), os.Symlink("../a/b/c", filepath.Join(dir, "d/file")), os.WriteFile(filepath.Join(dir, "empty"), nil, 0o644),
	)
	root, err := os.OpenRoot(dir)
	must(t, err)
	defer root.Close()
	project := beneath.FS(root)
	sub, err := fs.Sub(project, "a")
	must(t, err)
	behind, err := fs.Sub(project, "link")
	must(t, err)
	other, err := fs.Sub(project, "d")
	must(t, err)
	_, statErr := fs.Stat(project, "link")
	_, listErr := fs.ReadDir(project, "link")
	_, readErr := fs.ReadFile(project, "link/c")
	_, openErr := project.Open("d/file")
	_, limitErr := beneath.ReadAtMost(other, "file", 9)
	_, subErr := fs.ReadDir(behind, ".")
	for name, err := range map[string]error{
		"stat link": statErr, "open link": listErr, "stat link ": readErr, "open d/file": openErr, "open file": limitErr, "open .": subErr,
	} {
		want := strings.TrimSpace(name) + ": it is a symbolic link, which is not followed"
		if err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if err = fstest.TestFS(sub, "b/c"); err != nil {
		t.Error(err)
	}
	if to, bad := fs.ReadLink(project, "link"); to != "a/b" || bad != nil {
		t.Errorf("the link leads to %q, %v", to, bad)
	}
	for name, text := range map[string]string{"a/b/c": "text", "empty": ""} {
		if got, bad := beneath.ReadAtMost(project, name, int64(len(text))); string(got) != text || bad != nil {
			t.Errorf("%s is %q, %v", name, got, bad)
		}
	}
	_, err = beneath.ReadAtMost(sub, "b/c", 3)
	if large, ok := errors.AsType[*beneath.SizeError](err); !ok || large.Limit != 3 || failure.KindOf(err) != failure.Usage {
		t.Errorf("of too many bytes: %v", err)
	}
	if _, err = beneath.ReadAtMost(project, "none", 1); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("of no file: %v", err)
	}
	const want = "read a: it is a directory and not a regular file"
	if _, err = beneath.ReadAtMost(project, "a", 1); err == nil || err.Error() != want {
		t.Errorf("of a directory: %v", err)
	}
	if _, err = beneath.ReadAtMost(unopened{project.(fs.StatFS)}, "empty", 1); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("of one that can't be opened: %v", err)
	}
}

// unopened has files that can't be opened.
type unopened struct{ fs.StatFS }

func (unopened) Open(string) (fs.File, error) { return nil, fs.ErrPermission }

// No memory is allocated for a file that is too large.
func TestLargeFiles(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "large"), nil, 0o644), os.Truncate(filepath.Join(dir, "large"), 1<<40))
	root, err := os.OpenRoot(dir)
	must(t, err)
	defer root.Close()
	const want = `"large" has more than 67108864 bytes`
	if _, err = fs.ReadFile(beneath.FS(root), "large"); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestKind(t *testing.T) {
	for mode, want := range map[fs.FileMode]string{
		0o755: "a regular file", fs.ModeDir | 0o755: "a directory", fs.ModeSymlink: "a symbolic link", fs.ModeNamedPipe: "a named pipe", fs.ModeSocket: "a socket",
		fs.ModeDevice: "a device", fs.ModeDevice | fs.ModeCharDevice: "a device", fs.ModeIrregular: "a special file",
	} {
		if got := beneath.Kind(mode); got != want {
			t.Errorf("%v is %s, want %s", mode, got, want)
		}
	}
}

// A file that is swapped for a FIFO after the check doesn't block, either.
func TestNobodyWaitsForAFIFO(t *testing.T) {
	dir := t.TempDir()
	must(t, unix.Mkfifo(filepath.Join(dir, "pipe"), 0o600), os.Symlink("/dev/zero", filepath.Join(dir, "zero")))
	root, err := os.OpenRoot(dir)
	must(t, err)
	defer root.Close()
	for name, want := range map[string]string{"pipe": "open pipe: it is a named pipe and not a regular file", "zero": "open zero: it is a symbolic link, which is not followed", "../x": "open ../x: invalid argument"} {
		told := make(chan error, 1)
		go func() {
			f, err := beneath.FS(root).Open(name)
			if err == nil {
				err = errors.Join(errors.New("it is opened"), f.Close())
			}
			told <- err
		}()
		select {
		case err := <-told:
			if !strings.HasPrefix(err.Error(), want) {
				t.Errorf("%s: %v", name, err)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("%s blocks", name)
		}
	}
}
