package beneath_test

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"lamina.build/internal/beneath"
)

// A folder that somebody swaps for a link again and again is opened, or it isn't: what
// the link leads to never is.
func TestSwaps(t *testing.T) {
	dir, root := world(t)
	victim := filepath.Join(dir, "victim")
	must(t, os.Mkdir(victim, 0o755), os.WriteFile(filepath.Join(victim, "thesis"), nil, 0o644), os.Mkdir(filepath.Join(dir, "swap"), 0o755), os.Symlink("victim", filepath.Join(dir, "other")))
	end := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-end:
				return
			default:
				_ = unix.Renameat2(unix.AT_FDCWD, filepath.Join(dir, "swap"), unix.AT_FDCWD, filepath.Join(dir, "other"), unix.RENAME_EXCHANGE)
			}
		}
	})
	opened, kept := 0, 0
	for until := time.Now().Add(200 * time.Millisecond); time.Now().Before(until); {
		at, err := beneath.Folder(root, "swap")
		if err != nil {
			kept++
			continue
		}
		opened++
		if _, err := at.Lstat("thesis"); err == nil {
			t.Error("the link was followed")
		}
		must(t, at.Close())
	}
	close(end)
	wg.Wait()
	t.Logf("%d times opened, %d times refused", opened, kept)
}
