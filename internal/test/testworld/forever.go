package testworld

import (
	"context"
	"log"
	"testing"
)

// Forever is a test that doesn't end, for programs that serve a world or make its
// files. What fails ends the program.
type Forever struct {
	testing.TB

	Ctx context.Context // of the program; needed to serve
}

// Helper does nothing.
func (Forever) Helper() {}

// Cleanup has nothing to do, since the test doesn't end.
func (Forever) Cleanup(func()) {}

// Context returns the program's.
func (f Forever) Context() context.Context { return f.Ctx }

// Fatal ends the program.
func (Forever) Fatal(args ...any) { log.Fatal(args...) }

// Fatalf ends the program.
func (Forever) Fatalf(format string, args ...any) { log.Fatalf(format, args...) }
