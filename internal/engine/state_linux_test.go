package engine

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"lamina.build/internal/failure"
)

// An ordinary user may not enter all directories of images, and the status counts the others.
func TestDiskUsedOfDirectoriesThatAreClosed(t *testing.T) {
	dir := t.TempDir()
	closed := filepath.Join(dir, "closed")
	if err := errors.Join(os.Mkdir(closed, 0o700), os.WriteFile(filepath.Join(dir, "open"), make([]byte, 1<<16), 0o644), os.Chmod(closed, 0)); err != nil {
		t.Fatal(err)
	}
	for parent := dir; parent != os.TempDir(); parent = filepath.Dir(parent) {
		if err := os.Chmod(parent, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread ends with its user
		if err := unix.Setfsuid(65534); err != nil {
			t.Error(err)
		}
		if used, err := diskUsed(dir); err != nil || used < 1<<16 {
			t.Errorf("got %d bytes, %v", used, err)
		}
	}()
	<-done
}

// Whoever guesses the name of a short directory for the socket gets no engine to start there.
func TestAShortDirectoryOfSomebodyElseIsRefused(t *testing.T) {
	s := state{dir: filepath.Join(t.TempDir(), strings.Repeat("deep/", 30))}
	short, victim := filepath.Dir(s.socket()), t.TempDir()
	if err := os.Chmod(victim, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(victim, short); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(short) })
	if err := s.make(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, err := s.connectOrStart(ctx, Options{}.withDefaults(), binaries{})
	if err == nil || !strings.Contains(err.Error(), short) || len(failure.Hints(err)) == 0 {
		t.Errorf("got %v with hints %q", err, failure.Hints(err))
	}
	if info, err := os.Stat(victim); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("the directory behind the link has mode %v, %v", info.Mode(), err)
	}
}
