package faults

import (
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"lamina.build/internal/test/e2etest"
)

// disk mounts a file system of 64 MB.
func disk(t *testing.T) string {
	t.Helper()
	return diskAt(t, t.TempDir())
}

func diskAt(t *testing.T, dir string) string {
	t.Helper()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64m"); err != nil {
		t.Skipf("mounting is not permitted here: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fill fills a disk, leaving some bytes free.
func fill(t *testing.T, dir string, left int64) {
	t.Helper()
	var free unix.Statfs_t
	if err := unix.Statfs(dir, &free); err != nil {
		t.Fatal(err)
	}
	hog, err := os.Create(filepath.Join(dir, "hog"))
	if err != nil {
		t.Fatal(err)
	}
	err = unix.Fallocate(int(hog.Fd()), 0, 0, int64(free.Bavail)*free.Bsize-left)
	if err = errors.Join(err, hog.Close()); err != nil {
		t.Fatal(err)
	}
}

const full = "no space left on device"

// A cache that fills up at any write is named; with room both commands work again.
func TestRealDiskOfTheCacheIsFull(t *testing.T) {
	t.Parallel()
	for _, left := range []int64{0, 1 << 20, 12 << 20} {
		u, dir := e2etest.NewUser(t), e2etest.Small(t)
		u.Cache = disk(t)
		fill(t, u.Cache, left)
		place := u.Cache + "/lamina/"
		if left < 12<<20 {
			u.Fails(t, 1, []string{place, full}, dir, "--smoke", "off", "--progress", "quiet")
			u.HasNoImage(t)
		}
		u.Fails(t, 1, []string{place, full}, "lock", dir)
		nothingLeft(t, u.Cache, dir)
		if err := os.Remove(filepath.Join(u.Cache, "hog")); err != nil {
			t.Fatal(err)
		}
		u.Build(t, dir, "--smoke", "off", "--progress", "quiet")
	}
}

// If the project's disk is full, or read-only, its lock stays unchanged, and builds still
// use it.
func TestRealDiskOfTheProjectIsFull(t *testing.T) {
	t.Parallel()
	u, dir := e2etest.NewUser(t), disk(t)
	if err := os.CopyFS(dir, os.DirFS(e2etest.Small(t))); err != nil {
		t.Fatal(err)
	}
	before := e2etest.ReadLock(t, dir)
	spec := filepath.Join(dir, "image.toml")
	e2etest.Edit(t, spec, `"python3"`, `"python3", "libnuma1"`)
	fill(t, dir, 0)
	u.Fails(t, 1, []string{"writing lock: ", dir, full}, "lock", dir)
	if diff := cmp.Diff(before, e2etest.ReadLock(t, dir)); diff != "" {
		t.Errorf("the lock changed:\n%s", diff)
	}
	nothingLeft(t, dir)
	if err := os.Remove(filepath.Join(dir, "hog")); err != nil {
		t.Fatal(err)
	}
	e2etest.Edit(t, spec, `, "libnuma1"`, "")
	if err := unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	u.Build(t, dir, "--smoke", "off", "--progress", "quiet")
	for _, args := range [][]string{{"lock", dir}, {dir, "--relock"}, {"model", "push", "127.0.0.1:1/w:1", "--spec", dir}} {
		u.Fails(t, 2, []string{"writing lock: directory ", dir, "read-only file system", "hint: lock a copy"}, args...)
	}
}

// The error for an output without room on its disk names it, and nothing is left; the
// previous image stays complete.
func TestRealDiskOfTheOutputIsFull(t *testing.T) {
	t.Parallel()
	u, dir := e2etest.NewUser(t), e2etest.Small(t)
	u.Dir = disk(t)
	u.Build(t, dir, "--smoke", "off", "--progress", "quiet")
	before := u.Digest(t)
	more := make([]byte, 40<<20) // incompressible
	_, _ = rand.Read(more)
	e2etest.Write(t, filepath.Join(dir, "app", "more"), more)
	for output, place := range map[string]string{
		"type=oci": "dist/faceblend/", "type=oci,dest=a.tar": ".a.tar.", "type=docker,dest=b.tar": ".b.tar.", "type=local,dest=files": "files",
	} {
		u.Fails(t, 1, []string{place, full}, dir, "-o", output, "--smoke", "off", "--progress", "quiet")
		if u.Digest(t) != before {
			t.Errorf("%s: the previous image changed", output)
		}
		left, err := os.ReadDir(u.Dir)
		if err != nil || len(left) != 1 {
			t.Errorf("%s: left behind: %v (%v)", output, left, err)
		}
	}
	e2etest.Verify(t, u)
}
