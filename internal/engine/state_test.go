package engine

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lamina.build/internal/failure"
)

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
