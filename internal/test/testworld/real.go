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

// RealMirrors returns mirrors of the real Debian: the one from the environment, that of this
// host, or the snapshot archive. It skips the test under -short, and if they can't be reached.
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

// RealPyPI skips the test if PyPI can't be reached.
func RealPyPI(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("needs the network, skipped by -short")
	}
	if err := reach("https://pypi.org/simple/uv/"); err != nil {
		t.Skipf("PyPI can't be reached: %v", err)
	}
}

// reached holds the results of contacting the addresses that tests need, once per process.
var reached sync.Map // of func() error

func reach(address string) error {
	once, _ := reached.LoadOrStore(address, sync.OnceValue(func() error {
		return firstSuccess(time.Second, func() error { return head(address) })
	}))
	return once.(func() error)()
}

// attempts tolerate accidental failures.
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
	// The result serves all tests of the process, not only the first.
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
