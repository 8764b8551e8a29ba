package testworld

import (
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
