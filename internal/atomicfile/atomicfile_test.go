package atomicfile_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"lamina.build/internal/atomicfile"
	"lamina.build/internal/test/process"
)

// victim in the environment makes the test binary write next to that path, report that, and
// wait until it is killed or its input ends.
const victim = "LAMINA_ATOMICFILE_TEST"

func TestMain(m *testing.M) {
	if path := os.Getenv(victim); path != "" {
		hang(path)
	}
	unix.Umask(0o022) // whatever the developer's is
	os.Exit(m.Run())
}

func hang(path string) {
	file, err := atomicfile.File(path, 0o644)
	if err != nil {
		panic(err)
	}
	directory, err := atomicfile.Dir(path, 0o755)
	if err != nil {
		panic(err)
	}
	os.Stdout.WriteString("ready\n")
	io.Copy(io.Discard, os.Stdin)
	file.Close()
	directory.Close()
	os.Exit(0)
}

// other starts a process that is writing next to path.
func other(t *testing.T, path string) *exec.Cmd {
	t.Helper()
	cmd, _ := process.Start(t, victim+"="+path)
	return cmd
}

func entries(t *testing.T, dir string) (names []string) {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names
}

// The next attempt removes what a killed process left; what a living one is writing stays, and
// so does everything that only looks similar.
func TestLeftoversOfTheDeadAreRemoved(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "root")
	for _, name := range []string{".root.local", ".root.lamina-X", ".other.lamina-ABCDEFGHIJ"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	foreign := entries(t, dir)
	cmd := other(t, path)
	busy := entries(t, dir)
	attempt := func() {
		t.Helper()
		for _, make := range []func(string, fs.FileMode) (*atomicfile.Temporary, error){atomicfile.File, atomicfile.Dir} {
			tmp, err := make(path+"/", 0o700)
			if err != nil {
				t.Fatal(err)
			}
			if err := tmp.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(busy) != len(foreign)+2 {
		t.Fatalf("the other process is writing %q", busy)
	}
	if left := atomicfile.Leftovers(path); len(left) > 0 {
		t.Errorf("a living process left %q", left)
	}
	attempt()
	if diff := cmp.Diff(busy, entries(t, dir)); diff != "" {
		t.Errorf("alongside a living process (-want +got):\n%s", diff)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if left := atomicfile.Leftovers(path); len(left) != 2 || filepath.Dir(left[0]) != dir || !slices.Equal(entries(t, dir), busy) {
		t.Errorf("a dead process left %q of %q", left, busy)
	}
	for _, name := range entries(t, dir) { // like a half-written directory
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil && info.IsDir() {
			if err := os.MkdirAll(filepath.Join(dir, name, "usr", "bin"), 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	attempt()
	if diff := cmp.Diff(foreign, entries(t, dir)); diff != "" {
		t.Errorf("after its death (-want +got):\n%s", diff)
	}
}

func TestDirectoriesThatWereMadeGoAgain(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a", "b", "image.tar")
	tmp, err := atomicfile.File(path, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	if err = tmp.Close(); err != nil {
		t.Fatal(err)
	}
	if left := entries(t, dir); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
	if tmp, err = atomicfile.File(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if err = tmp.Commit(); err != nil {
		t.Fatal(err)
	}
	if err = tmp.Close(); err != nil {
		t.Errorf("closing after a commit: %v", err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o644 {
		t.Errorf("got %v, %v", info, err)
	}
}

// A path that can't be made leaves nothing, whichever part of it fails.
func TestPlacesThatCanNotBeMade(t *testing.T) {
	long := strings.Repeat("n", 256)
	for name, path := range map[string]string{
		"a directory's name is too long": filepath.Join("made", "by", long, "image.tar"), "the file's is": filepath.Join("made", "by", long),
		"a file is in the way": filepath.Join("file", "image.tar"), "above a directory, too": filepath.Join("file", "made", "image.tar"),
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		for _, make := range []func(string, fs.FileMode) (*atomicfile.Temporary, error){atomicfile.File, atomicfile.Dir} {
			if tmp, err := make(filepath.Join(dir, path), 0o700); err == nil {
				t.Errorf("%s: it is made", name)
				tmp.Close()
			}
		}
		if diff := cmp.Diff([]string{"file"}, entries(t, dir)); diff != "" {
			t.Errorf("%s: left (-want +got):\n%s", name, diff)
		}
	}
}

func TestDirectoriesThatOthersUseStay(t *testing.T) {
	dir := t.TempDir()
	tmp, err := atomicfile.File(filepath.Join(dir, "a", "b", "c", "image.tar"), 0o644)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "a", "file"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := tmp.Close(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"file"}, entries(t, filepath.Join(dir, "a"))); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
}

// Concurrent writers of one path mistake each other's new files for leftovers and remove the
// directories above. None of them fails because of that.
func TestManyBeginAtOnePlace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "b", "image")
	var all sync.WaitGroup
	for i := range 8 {
		begin := atomicfile.File
		if i%2 == 0 {
			begin = atomicfile.Dir
		}
		all.Go(func() {
			for range 300 {
				tmp, err := begin(path, 0o700)
				if err == nil {
					err = tmp.Close()
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
}

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "image.lock")
	for _, text := range []string{"one", "two"} {
		if err := atomicfile.Write(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != text {
			t.Errorf("got %q, %v", got, err)
		}
	}
	if err := atomicfile.Write(filepath.Join(dir, "none", "x"), nil, 0o644); err == nil {
		t.Error("wrote into a directory that isn't there")
	}
	if diff := cmp.Diff([]string{"image.lock"}, entries(t, dir)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != fs.FileMode(0o644) {
		t.Errorf("got %v, %v", info, err)
	}
}

// Concurrent readers see the old or the new file, and all of it; a link to the old file keeps
// that.
func TestReadersSeeAWholeFile(t *testing.T) {
	dir := t.TempDir()
	path, old := filepath.Join(dir, "image.lock"), filepath.Join(dir, "old")
	texts := []string{strings.Repeat("a", 100_000), strings.Repeat("b", 200_000)}
	if err := errors.Join(atomicfile.Write(path, []byte(texts[0]), 0o600), os.Link(path, old)); err != nil {
		t.Fatal(err)
	}
	var writers sync.WaitGroup
	for _, text := range texts {
		writers.Go(func() {
			for range 5 {
				if err := atomicfile.Write(path, []byte(text), 0o600); err != nil {
					t.Error(err)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { writers.Wait(); close(done) }()
	for over := false; !over; {
		select {
		case <-done:
			over = true
		default:
		}
		if got, err := os.ReadFile(path); err != nil || !slices.Contains(texts, string(got)) {
			t.Fatalf("read %d bytes, %v", len(got), err)
		}
	}
	if got, err := os.ReadFile(old); err != nil || string(got) != texts[0] {
		t.Errorf("the old file has %d bytes, %v", len(got), err)
	}
	if diff := cmp.Diff([]string{"image.lock", "old"}, entries(t, dir)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// The umask applies to what is written, and to directories.
func TestUmask(t *testing.T) {
	defer unix.Umask(unix.Umask(0o027))
	dir := t.TempDir()
	write := func(w io.Writer) error { _, err := io.WriteString(w, "x"); return err }
	err := errors.Join(
		atomicfile.Write(filepath.Join(dir, "file"), nil, 0o644), atomicfile.Write(filepath.Join(dir, "secret"), nil, 0o600),
		atomicfile.Stream(filepath.Join(dir, "made/program"), 0o755, write),
	)
	tmp, dirErr := atomicfile.Dir(filepath.Join(dir, "directory"), 0o755)
	if err = errors.Join(err, dirErr, tmp.Commit()); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]fs.FileMode{
		"file": 0o640, "secret": 0o600, "made": fs.ModeDir | 0o750, "made/program": 0o750, "directory": fs.ModeDir | 0o750,
	} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode() != want {
			t.Errorf("%s: got %v, %v; want %v", name, info, err, want)
		}
	}
}

func TestFree(t *testing.T) {
	if n, err := atomicfile.Free(t.TempDir()); err != nil || n <= 0 {
		t.Errorf("%d bytes, %v", n, err)
	}
	if _, err := atomicfile.Free(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "measuring the disk of") {
		t.Errorf("of no directory: %v", err)
	}
}

func TestStream(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "made", "runc")
	full := errors.New("the disk is full")
	for _, want := range []error{full, nil, full} {
		err := atomicfile.Stream(path, 0o755, func(w io.Writer) error {
			_, err := io.WriteString(w, "half")
			return errors.Join(err, want)
		})
		if !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
	}
	if diff := cmp.Diff([]string{"runc"}, entries(t, filepath.Dir(path))); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o755 || info.Size() != 4 {
		t.Errorf("got %v, %v", info, err)
	}
}
