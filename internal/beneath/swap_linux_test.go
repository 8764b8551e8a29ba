package beneath_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"lamina.build/internal/beneath"
	"lamina.build/internal/failure"
)

// thesis is what a link leads to.
const thesis = "thesis"

// list and read return what opening a directory or a file shows.
func list(root *os.Root) (seen string, err error) {
	at, err := beneath.Dir(root, "swap")
	if err != nil {
		return "", err
	}
	defer at.Close()
	if _, err := at.Lstat(thesis); err == nil {
		seen = thesis
	}
	return seen, nil
}

func read(root *os.Root) (string, error) {
	f, err := beneath.File(root, "swap", os.O_RDONLY, 0)
	if err != nil {
		return "", err
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	return string(data), err
}

// A file that is repeatedly swapped for a link is opened or not, but never the link's target.
// The test runs until a swap has fallen between check and open.
func TestSwaps(t *testing.T) {
	for name, open := range map[string]func(*os.Root) (string, error){"directory": list, "file": read} {
		for _, out := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, the link leads out: %t", name, out), func(t *testing.T) {
				dir, root := world(t)
				swap, other := filepath.Join(dir, "swap"), filepath.Join(dir, "other")
				victim, to := filepath.Join(dir, "victim"), "victim"
				between := regexp.MustCompile("^opening .*swap: it was replaced while being opened$")
				if out {
					victim = filepath.Join(t.TempDir(), "victim")
					to, between = victim, regexp.MustCompile("path escapes from parent$")
				}
				if name == "directory" {
					must(t, os.Mkdir(victim, 0o755), os.WriteFile(filepath.Join(victim, thesis), nil, 0o644), os.Mkdir(swap, 0o755))
				} else {
					must(t, os.WriteFile(victim, []byte(thesis), 0o644), os.WriteFile(swap, nil, 0o644))
				}
				must(t, os.Symlink(to, other))
				defer swapping(swap, other)()
				for until := time.Now().Add(time.Minute); time.Now().Before(until); {
					seen, err := open(root)
					if seen == thesis {
						t.Fatal("the link was followed")
					}
					if err != nil && between.MatchString(err.Error()) {
						return
					}
				}
				t.Log("no swap fell between check and open")
			})
		}
	}
}

// swapping exchanges two names until end is called.
func swapping(one, other string) (end func()) {
	ended := make(chan struct{})
	var group sync.WaitGroup
	group.Go(func() {
		for {
			select {
			case <-ended:
				return
			default:
				_ = unix.Renameat2(unix.AT_FDCWD, one, unix.AT_FDCWD, other, unix.RENAME_EXCHANGE)
			}
		}
	})
	return func() {
		close(ended)
		group.Wait()
	}
}

// A file of unknown size is read only up to the limit.
func TestFilesOfUnknownSize(t *testing.T) {
	root, err := os.OpenRoot("/proc/self")
	must(t, err)
	defer root.Close()
	if data, bad := beneath.ReadAtMost(beneath.FS(root), "status", 1<<20); bad != nil || !strings.HasPrefix(string(data), "Name:") {
		t.Errorf("got %q, %v", data, bad)
	}
	_, err = beneath.ReadAtMost(beneath.FS(root), "status", 4)
	if large, ok := errors.AsType[*beneath.SizeError](err); !ok || large.Limit != 4 || failure.KindOf(err) != failure.Usage {
		t.Errorf("of too many bytes: %v", err)
	}
}
