package testworld

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"lamina.build/internal/debian"
)

// RealMirrors returns where a test gets the real Debian: from the mirror of the
// environment, that of this host, or the snapshot archive. It skips the test
// under -short, and where that can't be reached from here.
func RealMirrors(t testing.TB) debian.Mirrors {
	t.Helper()
	if testing.Short() {
		t.Skip("needs the network, skipped by -short")
	}
	named, err := debian.ParseMirrors(os.Getenv("LAMINA_DEBIAN_MIRROR")) //nolint:forbidigo // for tests alone
	if err != nil {
		t.Fatal(err)
	}
	m := debian.Merge(named, debian.HostMirrors(os.DirFS("/")), debian.Snapshot(time.Now()))
	address := m.URL(debian.Main, "dists/bookworm/InRelease")
	if !strings.HasPrefix(address, "http") {
		return m
	}
	if err := reach(address); err != nil {
		t.Skipf("Debian's mirror can't be reached: %v", err)
	}
	return m
}

// RealPyPI skips the test where PyPI can't be reached from here.
func RealPyPI(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("needs the network, skipped by -short")
	}
	if err := reach("https://pypi.org/simple/uv/"); err != nil {
		t.Skipf("PyPI can't be reached: %v", err)
	}
}

// reached is what became of asking the addresses that tests need, once a process.
var reached sync.Map // of func() error

func reach(address string) error {
	once, _ := reached.LoadOrStore(address, sync.OnceValue(func() error {
		return firstSuccess(time.Second, func() error { return head(address) })
	}))
	return once.(func() error)()
}

// attempts pass over one that fails by chance.
const attempts = 3

func firstSuccess(pause time.Duration, try func() error) (err error) {
	for n := range attempts {
		if n > 0 {
			time.Sleep(pause)
		}
		if err = try(); err == nil {
			return nil
		}
	}
	return err
}

func head(address string) error {
	// It is asked for all tests of the process, not for the one that comes first.
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second) //nolint:forbidigo // as above
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodHead, address, nil) //nolint:gosec // of the environment
	if err != nil {
		return err
	}
	a, err := http.DefaultClient.Do(r) //nolint:gosec // as above
	if err != nil {
		return err
	}
	_ = a.Body.Close()
	if a.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", address, a.Status)
	}
	return nil
}
