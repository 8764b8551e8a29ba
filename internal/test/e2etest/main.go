package e2etest

import (
	"context"
	"errors"
	"flag"
	"log"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"testing"

	"github.com/opencontainers/go-digest"

	"lamina.build/internal/atomicfile"
	"lamina.build/internal/engine"
	"lamina.build/internal/test/container"
	"lamina.build/internal/test/enginetest"
)

// Main runs the tests of a package in their own temporary directory. First it cleans up after
// killed runs: their engines have ended by themselves, their containers have not, and there
// may be gigabytes of files. At the end it checks that the engine has written no secret.
func Main(m *testing.M) int {
	room, err := container.OpenRoom(filepath.Join(os.TempDir(), "test"), enginetest.FetchRunc)
	if err == nil {
		err = os.Setenv("TMPDIR", room.Name())
	}
	if err != nil {
		log.Print("making a directory for the tests: ", err)
		return 1
	}
	// Under nohup a command would inherit that SIGHUP is ignored; a caught signal is reset.
	if signal.Ignored(syscall.SIGHUP) {
		signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	}
	// Tests mostly wait for the engine. A flag of the command line still wins.
	_ = flag.Set("test.parallel", strconv.Itoa(max(4, runtime.GOMAXPROCS(0))))
	code := m.Run()
	if err = engineHoldsSecret(); err != nil {
		log.Print("looking for secrets of the tests: ", err)
		code = 1
	}
	if err = room.Close(); err != nil {
		log.Print("removing the directory of the tests: ", err)
	}
	return code
}

// program compiles the command once for all packages. It is kept next to the engine, where go
// build sees that it is up to date; each package copies it, so that a run of another state of
// the source doesn't replace it.
var program = sync.OnceValues(func() (path string, err error) {
	ctx := context.Background() //nolint:forbidigo // no test's context lasts long enough
	o, err := enginetest.Defaults()
	if err != nil {
		return "", err
	}
	root, err := moduleRoot(ctx)
	if err != nil {
		return "", err
	}
	// Each checkout has its own.
	kept := filepath.Join(o.CacheDir, "program", digest.FromString(root).Encoded()[:12])
	if err = os.MkdirAll(filepath.Dir(kept), 0o700); err != nil {
		return "", err
	}
	lock, err := atomicfile.Exclusive(ctx, kept+".lock")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	out, err := exec.CommandContext(ctx, "go", "build", "-o", kept, "lamina.build/cmd/build").CombinedOutput() //nolint:gosec // our own
	if err != nil {
		return "", errors.New(string(out))
	}
	dir, err := os.MkdirTemp("", "program-")
	if err != nil {
		return "", err
	}
	path = filepath.Join(dir, "build")
	if os.Link(kept, path) == nil {
		return path, nil
	}
	data, err := os.ReadFile(kept) //nolint:gosec // our own, on another file system
	if err != nil {
		return "", err
	}
	return path, os.WriteFile(path, data, 0o700) //nolint:gosec // a program
})

// Program returns the path of the compiled command.
func Program(t *testing.T) string {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatalf("compiling the command: %v", err)
	}
	return path
}

// FreshEngine returns an engine with an empty cache in a separate root.
func FreshEngine(t *testing.T) *engine.Engine {
	t.Helper()
	dir, err := os.MkdirTemp("", "engine-") //nolint:usetesting // short enough for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return EngineIn(t, dir)
}

// EngineIn returns an engine with its state in a directory.
func EngineIn(t *testing.T, dir string) *engine.Engine {
	t.Helper()
	o := enginetest.Options(t)
	o.StateDir = dir
	e, err := engine.Open(t.Context(), o)
	if err != nil {
		t.Fatalf("opening a separate engine: %v", err)
	}
	t.Cleanup(func() {
		_ = e.Close()
		// The test's own context has ended by now.
		_, _ = engine.Stop(context.WithoutCancel(t.Context()), o, true)
	})
	return e
}
