package engine_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	bkllb "github.com/moby/buildkit/client/llb"
	"golang.org/x/sys/unix"

	"lamina.build/internal/atomicfile"
	"lamina.build/internal/engine"
	"lamina.build/internal/failure"
)

// smallDisk makes an ext4 file system of 300 MB.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir, image := t.TempDir(), filepath.Join(t.TempDir(), "disk")
	for _, args := range [][]string{
		{"truncate", "-s", "300M", image}, {"mkfs.ext4", "-q", "-m", "0", image}, {"mount", "-o", "loop", image, dir},
	} {
		if out, err := exec.CommandContext(t.Context(), args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Skipf("making a small file system: %v: %s", err, out)
		}
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fill fills a disk.
func fill(t *testing.T, dir string) {
	t.Helper()
	hog, err := os.Create(filepath.Join(dir, "hog"))
	if err != nil {
		t.Fatal(err)
	}
	defer hog.Close()
	for block := bytes.Repeat([]byte("x"), 1<<20); len(block) > 0; {
		if _, err = hog.Write(block); err != nil {
			block = block[:len(block)/2]
		}
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	if err = hog.Sync(); err != nil {
		t.Fatal(err)
	}
	if free, err := atomicfile.Free(dir); err != nil || free != 0 {
		t.Fatalf("%d bytes are free (%v)", free, err)
	}
}

// A full disk is pruned, even by an engine that must be started on it, and the next time, too.
func TestPruneOnAFullDisk(t *testing.T) {
	dir := smallDisk(t)
	o := options(t)
	o.StateDir = filepath.Join(dir, "engine")
	ballast := filepath.Join(o.StateDir, "root", "ballast")
	for range 2 {
		e := open(t, o)
		data := bytes.Repeat([]byte("x"), 1<<20)
		state := bkllb.Scratch()
		for name := range strings.SplitSeq("abcdefghijkl", "") {
			state = state.File(bkllb.Mkfile("/"+name, 0o644, data))
		}
		if _, err := solve(t.Context(), e, state, nil); err != nil {
			t.Fatal(err)
		}
		closeEngine(t, e)
		waitGone(t, o)
		fill(t, dir)
		if _, err := engine.Open(t.Context(), o); !slices.ContainsFunc(failure.Hints(err), func(h string) bool { return strings.Contains(h, "engine prune") }) {
			t.Fatalf("an engine starts without a byte, or its error has no hint: %v", err)
		}
		prune := o
		prune.Compiled, prune.Room = true, true
		e = open(t, prune)
		if _, err := os.Lstat(ballast); err == nil {
			t.Error("the ballast is still there")
		}
		freed, err := engine.Prune(t.Context(), e.Client(), engine.PruneOptions{All: true}, nil)
		if err != nil || freed < 12<<20 {
			t.Errorf("freed %d bytes: %v", freed, err)
		}
		// A prune frees little here: the user removes something, too.
		if err = os.Remove(filepath.Join(dir, "hog")); err != nil {
			t.Fatal(err)
		}
		closeEngine(t, e)
		if info, err := os.Lstat(ballast); err != nil || info.Size() != 64<<20 {
			t.Errorf("the ballast isn't put back: %v, %v", info, err)
		}
		waitGone(t, o)
	}
}

// A build isn't rejected for space that its results already use, unless the cache lost them.
func TestBuildThatIsMadeIsNotRefused(t *testing.T) {
	dir := smallDisk(t)
	o := options(t)
	o.StateDir = filepath.Join(dir, "engine")
	o.Need.Disk = map[string]int64{"base": 120 << 20, "wheels": 20 << 20}
	e := open(t, o)
	e.Noted(map[string]int64{"base": 0}) // begun, as after a failure
	for n := range 7 {
		state := bkllb.Scratch().File(bkllb.Mkfile("/data", 0o644, bytes.Repeat([]byte{byte(n)}, 10<<20)))
		if _, err := solve(t.Context(), e, state, nil); err != nil {
			t.Fatal(err)
		}
	}
	again := open(t, o) // less than 140 MB are free
	closeEngine(t, again)

	o.Need.Disk["other"] = 150 << 20
	refused := func(what, needs string) {
		t.Helper()
		_, err := engine.Open(t.Context(), o)
		if failure.KindOf(err) != failure.Failure || !strings.Contains(err.Error(), needs) || len(failure.Hints(err)) == 0 {
			t.Errorf("%s: got %v, want that it needs %s", what, err, needs)
		}
	}
	refused("what wasn't made", "needs 178 MB")
	delete(o.Need.Disk, "other")
	if _, err := engine.Prune(t.Context(), e.Client(), engine.PruneOptions{All: true}, nil); err != nil {
		t.Fatal(err)
	}
	o.Need.Disk["base"] = 300 << 20
	refused("what was pruned", "needs 336 MB")
	closeEngine(t, e)
}

// A full disk of an engine shows in the errors of its steps.
func TestFullDiskIsExplained(t *testing.T) {
	said := errors.New("process \"sh\" did not complete successfully: cp: error writing '/x': No space left on device")
	for _, tt := range []struct {
		kind engine.Kind
		err  error
		want int
	}{
		{engine.Private, said, 1},
		{engine.Given, said, 1},
		{engine.Private, &os.PathError{Op: "write", Path: "dist/x", Err: syscall.ENOSPC}, 0}, // our own disk, whose path the error names
	} {
		if got := failure.Hints((&engine.Engine{Kind: tt.kind}).Explain(t.Context(), tt.err)); len(got) != tt.want {
			t.Errorf("%s: %v has the hints %q", tt.kind, tt.err, got)
		}
	}
}
