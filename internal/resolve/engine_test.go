package resolve_test

import (
	"os"
	"testing"
	"time"

	"github.com/moby/buildkit/client"

	"lamina.build/internal/debian"
	"lamina.build/internal/enginetest"
)

// engine returns the engine that apt runs in.
func engine(t *testing.T) *client.Client {
	t.Helper()
	return enginetest.Client(t)
}

// mirrors are those of this host or, where it is no Debian, the snapshot archive.
func mirrors() debian.Mirrors {
	return debian.Merge(debian.HostMirrors(os.DirFS("/")), debian.Snapshot(time.Now()))
}
