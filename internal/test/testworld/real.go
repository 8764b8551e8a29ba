package testworld

import (
	"context"
	"net/http"
	"os"
	"testing"
	"time"

	"lamina.build/internal/debian"
)

// RealMirrors returns where a test gets the real Debian: from the mirror of the
// environment, that of this host, or the snapshot archive. It skips the test
// under -short, and only then.
func RealMirrors(t testing.TB) debian.Mirrors {
	t.Helper()
	if testing.Short() {
		t.Skip("needs the network, skipped by -short")
	}
	named, err := debian.ParseMirrors(os.Getenv("LAMINA_DEBIAN_MIRROR")) //nolint:forbidigo // for tests alone
	if err != nil {
		t.Fatal(err)
	}
	return debian.Merge(named, debian.HostMirrors(os.DirFS("/")), debian.Snapshot(time.Now()))
}

// RealPyPI skips the test where PyPI can't be reached from here.
func RealPyPI(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("needs the network, skipped by -short")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, "https://pypi.org/simple/uv/", nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Skipf("PyPI can't be reached: %v", err)
	}
	_ = r.Body.Close()
	if r.StatusCode != http.StatusOK {
		t.Skipf("PyPI can't be reached: it answers %s", r.Status)
	}
}
