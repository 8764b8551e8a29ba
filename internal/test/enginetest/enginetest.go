// Package enginetest gives tests a private engine.
//
// All test packages of one `go test` share it, each process through its lease, and it ends
// with the last of them. Its state is separate from that of the user's engine and is kept,
// so that the next run finds a warm cache; a test that needs a cold or an untouched engine
// uses [Options] with another StateDir.
package enginetest

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/moby/buildkit/client"

	"lamina.build/internal/debian"
	"lamina.build/internal/engine"
	"lamina.build/internal/engine/runc"
	"lamina.build/internal/test/testworld"
)

// shared is opened by the first test that needs it and never closed: the kernel releases the
// lease when the test process ends, however it ends. One engine per process is the point of
// the package, hence a global.
var shared = sync.OnceValues(func() (*engine.Engine, error) {
	o, err := Defaults()
	if err != nil {
		return nil, err
	}
	// On a machine that is busy with other tests, an engine may start too slowly for a user.
	// Tests wait longer.
	for n := 1; ; n++ {
		// The engine outlives the first test.
		e, err := engine.Open(context.Background(), o) //nolint:forbidigo // no test's context lasts long enough
		if err == nil || n == maxStarts {
			return e, err
		}
	}
})

// maxStarts is how many times an engine may fail to start.
const maxStarts = 5

// Engine returns the engine that all tests share. It skips the test under -short, for a user
// who can't run one, and if there is none yet and no network to fetch it. A test must not
// close it.
func Engine(t testing.TB) *engine.Engine {
	t.Helper()
	skip(t)
	e, err := shared()
	if err != nil {
		testworld.RealMirrors(t) // skips if no part of it could be fetched
		t.Fatalf("opening the engine of the tests: %v", err)
	}
	return e
}

// Client returns the shared engine's client.
func Client(t testing.TB) *client.Client {
	t.Helper()
	return Engine(t).Client()
}

// Options returns the options of the shared engine, for tests that start another one: set
// StateDir to a t.TempDir, and the compiled programs are still shared.
func Options(t testing.TB) engine.Options {
	t.Helper()
	Runc(t)
	o, err := Defaults()
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// Runc returns the path of the runc that the shared engine may have fetched. It skips the test
// as [Engine] does.
func Runc(t testing.TB) string {
	t.Helper()
	skip(t)
	path, err := FetchRunc()
	if err != nil {
		testworld.RealMirrors(t) // as above
		t.Fatalf("fetching the runc of the tests: %v", err)
	}
	return path
}

// FetchRunc returns that path without a test.
func FetchRunc() (string, error) { return fetched() }

// fetched returns the path of runc, for all tests of the process.
var fetched = sync.OnceValues(func() (string, error) {
	o, err := Defaults()
	if err != nil {
		return "", err
	}
	return o.FetchRunc(context.Background()) //nolint:forbidigo // as above
})

func skip(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("needs an engine, skipped by -short")
	}
	if user := os.Geteuid(); runtime.GOOS == "linux" && user != 0 {
		t.Skipf("needs an engine, and only root can run one: this is user %d", user)
	}
}

// Defaults returns the [Options] without a test, for a process that a test has started. They
// ignore BUILDKIT_HOST and whatever else runs on the machine: the tests make promises only
// for our own version.
func Defaults() (engine.Options, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return engine.Options{}, err
	}
	cache = filepath.Join(cache, "lamina-test")
	return engine.Options{
		PrivateOnly: true,
		CacheDir:    cache,
		Env:         os.Getenv, //nolint:forbidigo // a fixture is the edge of a test process
		FetchRunc: func(ctx context.Context) (string, error) {
			m, err := mirrors()
			if err != nil {
				return "", err
			}
			return runc.Fetch(ctx, runc.Options{Mirrors: m, CacheDir: cache, Arch: runtime.GOARCH})
		},
	}, nil
}

// mirrors returns the mirrors of the environment, else those of this machine if it is a
// Debian, else the snapshot archive.
func mirrors() (debian.Mirrors, error) {
	m := debian.Snapshot(time.Now())
	maps.Copy(m, debian.HostMirrors(os.DirFS("/")))
	named, err := debian.ParseMirrors(os.Getenv("LAMINA_DEBIAN_MIRROR")) //nolint:forbidigo // as above
	maps.Copy(m, named)
	return m, err
}
