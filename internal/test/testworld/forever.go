package testworld

import (
	"context"
	"log"
	"os"
	"testing"
)

// Forever is a test that doesn't end, for programs that serve a world or make its files. A
// failure ends the program.
type Forever struct {
	testing.TB

	Ctx context.Context // of the program; needed to serve
}

// Helper does nothing.
func (Forever) Helper() {}

// Cleanup does nothing, since the test doesn't end.
func (Forever) Cleanup(func()) {}

// Context returns the program's.
func (f Forever) Context() context.Context { return f.Ctx }

// TempDir returns a new directory, which stays.
func (f Forever) TempDir() string {
	dir, err := os.MkdirTemp("", "testworld")
	if err != nil {
		f.Fatal(err)
	}
	return dir
}

// Fatal ends the program.
func (Forever) Fatal(args ...any) { log.Fatal(args...) }

// Fatalf ends the program.
func (Forever) Fatalf(format string, args ...any) { log.Fatalf(format, args...) }
