package fresh

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"lamina.build/internal/test/e2etest"
)

// The same lock and trees give the same manifest despite all differences between two
// machines, after an export in another compression, and after two concurrent builds while
// the engine was pruned repeatedly.
func TestRealDigestIsTheSameEverywhere(t *testing.T) {
	u, dir := e2etest.NewUser(t), e2etest.Example(t)
	u.Build(t, dir)
	want := u.Digest(t)

	there := e2etest.UserOf(t, e2etest.FreshEngine(t))
	there.Env = []string{"TZ=Pacific/Chatham", "LANG=tr_TR.UTF-8", "LC_ALL=tr_TR.UTF-8", "GOMAXPROCS=1", "HOSTNAME=elsewhere"}
	copied := filepath.Join(t.TempDir(), "elsewhere", "project")
	if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	age(t, copied)
	pruned, done := make(chan int), make(chan struct{})
	go func() {
		defer close(pruned)
		for n := 0; ; n++ {
			if r := there.Run(t, "engine", "prune", "--all"); r.Code != 0 {
				t.Errorf("prune %d ends with %d:\n%s", n, r.Code, r.Stderr)
			}
			select {
			case <-done:
				pruned <- n
				return
			case <-time.After(5 * time.Second): // builds make again what they don't hold yet
			}
		}
	}()
	first := there.Start(t, copied, "-o", "type=docker,dest=image.tar", "-o", "type=oci,dest=image.oci.tar,compression=gzip", "--smoke", "off")
	second := there.Start(t, copied)
	first.Ends(0)
	close(done)
	second.Ends(0)
	if n := <-pruned; n < 1 {
		t.Error("nothing was pruned during the builds")
	}
	there.Build(t, copied)
	if got := there.Digest(t); got != want {
		t.Errorf("digest is %s elsewhere, %s here", got, want)
	}
}

// age gives a checkout other times and modes, as with another umask on another day.
func age(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		mode := fs.FileMode(0o664)
		if d.IsDir() {
			mode = 0o775
		}
		then := time.Date(2031, 5, 17, 3, 4, 5, 6, time.UTC)
		if err := os.Chmod(path, mode); err != nil {
			return err
		}
		return os.Chtimes(path, then, then)
	})
	if err != nil {
		t.Fatal(err)
	}
}
