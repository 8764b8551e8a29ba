package atomicfile_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"lamina.build/internal/atomicfile"
)

func open(t *testing.T, dir string) *atomicfile.Lock {
	t.Helper()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	l, err := atomicfile.OpenLock(root, "lock")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func TestLock(t *testing.T) {
	dir := t.TempDir()
	a, b := open(t, dir), open(t, dir)
	if err := errors.Join(a.Shared(t.Context()), b.Shared(t.Context())); err != nil {
		t.Fatalf("two shared holders: %v", err)
	}
	c := open(t, dir)
	if err := c.TryExclusive(); !errors.Is(err, atomicfile.ErrBusy) {
		t.Fatalf("exclusive alongside shared: got %v, want ErrBusy", err)
	}
	short, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	if err := c.Exclusive(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("waiting: got %v, want the context's error", err)
	}
	if err := errors.Join(a.Close(), b.Close()); err != nil {
		t.Fatal(err)
	}
	if err := c.Exclusive(t.Context()); err != nil {
		t.Fatalf("after both released it: %v", err)
	}
	if err := errors.Join(c.Shared(t.Context()), open(t, dir).Shared(t.Context())); err != nil {
		t.Fatalf("shared again: %v", err)
	}
}

func TestGone(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	if l.Gone() {
		t.Error("the lock is gone while its file is there")
	}
	if err := os.Remove(filepath.Join(dir, "lock")); err != nil {
		t.Fatal(err)
	}
	if !l.Gone() {
		t.Error("the lock is there without its file")
	}
	if again := open(t, dir); again.Gone() || !l.Gone() {
		t.Error("another file of the same name counts as the lock")
	}
}

// Locks by path and locks of an open file exclude each other.
func TestLockFiles(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "lock")
	held := func(want bool) {
		t.Helper()
		if got, err := atomicfile.Held(path); err != nil || got != want {
			t.Errorf("held: got %v, %v, want %v", got, err, want)
		}
	}
	held(false)
	shared, err := atomicfile.Shared(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	held(false)
	why := errors.New("enough of it")
	ctx, cancel := context.WithTimeoutCause(t.Context(), 30*time.Millisecond, why)
	defer cancel()
	if _, err = atomicfile.Exclusive(ctx, path); !errors.Is(err, why) {
		t.Errorf("waiting: got %v, want the context's cause", err)
	}
	if err = open(t, dir).TryExclusive(); !errors.Is(err, atomicfile.ErrBusy) {
		t.Errorf("an open file: got %v, want ErrBusy", err)
	}
	if err = shared.Close(); err != nil {
		t.Fatal(err)
	}
	alone, err := atomicfile.Exclusive(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	held(true)
	if err = alone.Close(); err != nil {
		t.Fatal(err)
	}
	held(false)
	if _, err = atomicfile.Shared(t.Context(), filepath.Join(dir, "none", "lock")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v for a directory that isn't there", err)
	}
}
