package engine_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/containerd/platforms"
	"github.com/moby/buildkit/client"
	bkllb "github.com/moby/buildkit/client/llb"
	"golang.org/x/sync/errgroup"

	"lamina.build/internal/engine"
	"lamina.build/internal/test/enginetest"
	"lamina.build/internal/test/process"
)

// helperState in the environment makes the test binary a client process: it opens the
// engine of that directory, prints its pid and waits until it is killed or its input
// ends. With its own cache directory it reports that it compiles.
const (
	helperState = "LAMINA_ENGINE_TEST_STATE"
	helperCache = "LAMINA_ENGINE_TEST_CACHE"
	helperDial  = "LAMINA_ENGINE_TEST_DIAL" // a socket: act as its "buildctl dial-stdio"
)

func TestMain(m *testing.M) {
	if socket := os.Getenv(helperDial); socket != "" {
		conn, err := new(net.Dialer).DialContext(context.Background(), "unix", socket)
		if err == nil {
			go func() { _, _ = io.Copy(conn, os.Stdin); os.Exit(0) }()
			_, err = io.Copy(os.Stdout, conn)
		}
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if dir := os.Getenv(helperState); dir != "" {
		if err := helper(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func helper(dir string) error {
	o, err := enginetest.Defaults()
	if err != nil {
		return err
	}
	o.StateDir = dir
	if cache := os.Getenv(helperCache); cache != "" {
		o.CacheDir, o.Progress = cache, func(line string) { fmt.Println(line) }
	}
	e, err := engine.Open(context.Background(), o)
	if err != nil {
		return err
	}
	fmt.Println("open")
	_, err = io.Copy(io.Discard, os.Stdin)
	return errors.Join(err, e.Close())
}

// clientProcess runs this binary as a client of the engine in dir and returns when it has the
// engine.
func clientProcess(t *testing.T, dir string) *exec.Cmd {
	t.Helper()
	cmd, said := process.Start(t, helperState+"="+dir)
	if said != "open\n" {
		t.Fatalf("the client process said %q", said)
	}
	return cmd
}

// options returns options for a separate engine, which is gone with its processes when the
// test ends.
func options(t *testing.T) engine.Options {
	t.Helper()
	o := enginetest.Options(t)
	o.StateDir = t.TempDir()
	o.Progress = func(line string) { t.Log(line) }
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if _, err := engine.Stop(ctx, o, true); err != nil {
			t.Errorf("stopping the engine of the test: %v", err)
		}
		checkNothingLeft(t, o.StateDir)
	})
	return o
}

func open(t *testing.T, o engine.Options) *engine.Engine {
	t.Helper()
	e, err := engine.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func closeEngine(t *testing.T, e *engine.Engine) {
	t.Helper()
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
}

func status(t *testing.T, o engine.Options) engine.Status {
	t.Helper()
	st, err := engine.StatusOf(o)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// waitGone waits for the engine to end and checks that it left nothing behind.
func waitGone(t *testing.T, o engine.Options) {
	t.Helper()
	eventually(t, "the engine to end", func() bool { return !status(t, o).Running })
	checkNothingLeft(t, o.StateDir)
}

func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(15 * time.Second); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// checkNothingLeft looks for processes that name the directory, and for mounts
// below it in the mount namespace of any process of the machine.
func checkNothingLeft(t *testing.T, dir string) {
	t.Helper()
	left := ""
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if left = leftovers(dir); left == "" {
			return
		}
	}
	t.Errorf("the engine left behind: %s", left)
}

func leftovers(dir string) string {
	var left []string
	for _, pid := range processes(dir) {
		left = append(left, "process "+pid)
	}
	tables, _ := filepath.Glob("/proc/[0-9]*/mounts")
	for _, table := range tables {
		mounts, err := os.ReadFile(table)
		if err == nil && strings.Contains(string(mounts), dir) {
			left = append(left, "mounts in "+table)
		}
	}
	return strings.Join(left, ", ")
}

// processes returns those whose command line contains a word; a zombie has none.
func processes(word string) []string {
	var pids []string
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range files {
		line, err := os.ReadFile(file)
		if err == nil && strings.Contains(string(line), word) {
			pids = append(pids, filepath.Base(filepath.Dir(file)))
		}
	}
	return pids
}

// stepState returns a root file system with only testdata/step.
func stepState(t *testing.T) bkllb.State {
	t.Helper()
	path := filepath.Join(t.TempDir(), "step")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-ldflags=-s -w", "-o", path, "./testdata/step")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("compiling testdata/step: %v\n%s", err, out)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return bkllb.Scratch().File(bkllb.Mkfile("/step", 0o755, data))
}

// solve builds a state and returns for each step whether it was cached.
func solve(ctx context.Context, e *engine.Engine, st bkllb.State, started func()) (map[string]bool, error) {
	def, err := st.Marshal(ctx, bkllb.Platform(platforms.DefaultSpec()))
	if err != nil {
		return nil, err
	}
	cached := map[string]bool{}
	statuses := make(chan *client.SolveStatus)
	var g errgroup.Group
	g.Go(func() error {
		for s := range statuses {
			for _, v := range s.Vertexes {
				cached[v.Name] = v.Cached
			}
			if len(s.Logs) > 0 && started != nil {
				started()
				started = nil
			}
		}
		return nil
	})
	g.Go(func() error {
		_, solveErr := e.Client().Solve(ctx, def, client.SolveOpt{}, statuses)
		return solveErr
	})
	err = g.Wait()
	return cached, err
}

// run returns a step without a network.
func run(root bkllb.State, name string, args ...string) bkllb.State {
	return root.Run(bkllb.Args(append([]string{"/step"}, args...)), bkllb.Network(bkllb.NetModeNone),
		bkllb.WithCustomName(name)).Root()
}
