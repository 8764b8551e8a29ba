package e2etest

import (
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"lamina.build/internal/engine"
)

func engineOnOneCPU(t *testing.T) *engine.Engine {
	t.Helper()
	runtime.LockOSThread() // children of a thread inherit its CPUs
	defer runtime.UnlockOSThread()
	var before, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		t.Fatal(err)
	}
	for cpu := 0; one.Count() == 0; cpu++ {
		if before.IsSet(cpu) {
			one.Set(cpu)
		}
	}
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.SchedSetaffinity(0, &before) }()
	return FreshEngine(t)
}
