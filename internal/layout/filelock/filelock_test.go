package filelock_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"lamina.build/internal/layout/filelock"
)

func open(t *testing.T, path string) *filelock.Lock {
	t.Helper()
	l, err := filelock.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	a, b := open(t, path), open(t, path)
	if err := errors.Join(a.Shared(t.Context()), b.Shared(t.Context())); err != nil {
		t.Fatalf("two shared holders: %v", err)
	}
	c := open(t, path)
	if err := c.TryExclusive(); !errors.Is(err, filelock.ErrBusy) {
		t.Fatalf("exclusive beside shared: got %v, want ErrBusy", err)
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
		t.Fatalf("after both let go: %v", err)
	}
}

func TestGone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	l := open(t, path)
	if l.Gone() {
		t.Error("the lock is gone while its file is there")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if !l.Gone() {
		t.Error("the lock is there without its file")
	}
	if again := open(t, path); again.Gone() || !l.Gone() {
		t.Error("another file of the name is taken for the lock")
	}
}

func TestFoldersAreLocked(t *testing.T) {
	dir := t.TempDir()
	var locks []*filelock.Lock
	for range 2 {
		f, err := os.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		locks = append(locks, filelock.Of(f))
	}
	if err := locks[0].TryExclusive(); err != nil {
		t.Fatal(err)
	}
	if err := locks[1].TryExclusive(); !errors.Is(err, filelock.ErrBusy) {
		t.Errorf("got %v, want ErrBusy", err)
	}
}
