package cases

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"lamina.build/internal/engine"
	"lamina.build/internal/test/enginetest"
	"lamina.build/internal/test/testworld"
)

// world is shared by all cases: the compiled command, and a separate engine with an
// empty cache.
type world struct {
	ctx      context.Context //nolint:containedctx // of the whole program
	root     string          // of the checkout
	cases    string
	dir      string // everything that is written goes here
	program  string
	options  engine.Options
	engine   *engine.Engine
	progress io.Writer
}

func open(ctx context.Context, cases string, progress io.Writer) (w *world, err error) {
	w = &world{ctx: ctx, progress: progress}
	if w.cases, err = filepath.Abs(cases); err != nil {
		return nil, err
	}
	if w.root, err = filepath.Abs("."); err != nil {
		return nil, err
	}
	if w.dir, err = os.MkdirTemp("", "cases-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close())
		}
	}()
	w.program = filepath.Join(w.dir, "build")
	if out, bad := exec.CommandContext(ctx, "go", "build", "-o", w.program, "./cmd/build").CombinedOutput(); bad != nil { //nolint:gosec // our own
		return w, fmt.Errorf("compiling the command: %w\n%s", bad, out)
	}
	if w.options, err = enginetest.Defaults(); err != nil {
		return w, err
	}
	w.engine, err = w.openEngine("engine", nil)
	return w, err
}

func (w *world) close() error {
	var err error
	if w.engine != nil {
		err = w.engine.Close()
	}
	return errors.Join(err, os.RemoveAll(w.dir))
}

// openEngine starts a private engine with its own root, and more configuration.
func (w *world) openEngine(name string, more []byte) (*engine.Engine, error) {
	o := w.options
	o.StateDir = filepath.Join(w.dir, name)
	o.Progress = func(line string) { fmt.Fprintln(w.progress, line) }
	if more != nil {
		text, err := os.ReadFile(filepath.Join(w.root, "internal", "engine", "buildkitd.toml"))
		if err != nil {
			return nil, err
		}
		o.Config = slices.Concat(text, more)
	}
	return engine.Open(w.ctx, o)
}

// call is a running case. Errors are fatal.
type call struct {
	*world
	testing.TB

	source string   // the case's directory
	dir    string   // a copy of it
	env    []string // of all that the case runs, on top of the program's own
}

// outcome is how a program ended.
type outcome struct {
	code           int
	stdout, stderr string
}

// String returns its exit code and its first error.
func (o outcome) String() string {
	if o.code == 0 {
		return "exit 0"
	}
	for line := range strings.Lines(o.stderr) {
		if _, why, ok := strings.Cut(line, "error: "); ok {
			return fmt.Sprintf("exit %d, %s", o.code, shorten(firstLine(why)))
		}
	}
	return fmt.Sprintf("exit %d", o.code)
}

func shorten(text string) string {
	if r := []rune(text); len(r) > 100 {
		return string(r[:99]) + "…"
	}
	return text
}

// build runs the command in a directory.
func (c *call) build(dir string, args ...string) outcome {
	c.Helper()
	return c.command(dir, []string{"BUILDKIT_HOST=" + c.engine.Addr}, c.program, args...)
}

// mustBuild is fatal if the command fails.
func (c *call) mustBuild(dir string, args ...string) {
	c.Helper()
	if o := c.build(dir, args...); o.code != 0 {
		c.Fatalf("build %s: %s", strings.Join(args, " "), o)
	}
}

// command runs a program to its end, in the cache directory of all cases.
func (c *call) command(dir string, env []string, name string, args ...string) outcome {
	c.Helper()
	cmd := exec.CommandContext(c.Context(), name, args...) //nolint:gosec // ours, and those of the cases
	var stdout, stderr bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &stdout, &stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a script ends with what it runs
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = time.Minute
	cmd.Env = append(cmd.Environ(), "XDG_CACHE_HOME="+filepath.Join(c.world.dir, "cache"), "DOCKER_CONFIG="+c.world.dir)
	cmd.Env = append(append(cmd.Env, c.env...), env...)
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		c.Fatalf("starting %s: %v", name, err)
	}
	o := outcome{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
	if os.Getenv("CASES_VERBOSE") != "" { //nolint:forbidigo // a separate program
		fmt.Fprintf(c.progress, "   %s %v: %d\n%s%s\n", filepath.Base(name), args, o.code, o.stdout, o.stderr)
	}
	return o
}

// must runs a program of a case that must succeed.
func (c *call) must(name string, args ...string) {
	c.Helper()
	o := c.command(c.dir, nil, name, args...)
	if o.code != 0 {
		c.Fatalf("%s: exit %d: %s", name, o.code, cmp.Or(firstLine(o.stderr), firstLine(o.stdout)))
	}
}

// serve starts a server that ends with the case, and waits until it listens. It returns a
// function that returns the server's output.
func (c *call) serve(address, name string, args ...string) (said func() string) {
	c.Helper()
	cmd := exec.CommandContext(c.Context(), name, args...) //nolint:gosec // of the case
	log, err := os.Create(filepath.Join(c.TempDir(), "log"))
	if err != nil {
		c.Fatal(err)
	}
	cmd.Dir, cmd.Stdout, cmd.Stderr = c.dir, log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		c.Fatalf("starting %s: %v", name, err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	c.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		<-ended
		_ = log.Close()
	})
	said = func() string {
		data, _ := os.ReadFile(log.Name())
		return string(data)
	}
	for range 200 {
		if conn, err := new(net.Dialer).DialContext(c.Context(), "tcp", address); err == nil {
			_ = conn.Close()
			return said
		}
		select {
		case <-ended:
			c.Fatalf("%s ended: %s", name, shorten(strings.TrimSpace(said())))
		case <-time.After(100 * time.Millisecond):
		}
	}
	c.Fatalf("nothing listens at %s", address)
	return nil
}

// freePort returns an unused port.
func (c *call) freePort() string {
	l, err := new(net.ListenConfig).Listen(c.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		c.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// faceblend makes a copy of the example, with a lock.
func (c *call) faceblend() string {
	dir := filepath.Join(c.TempDir(), "faceblend")
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(c.root, "examples", "faceblend"))); err != nil {
		c.Fatal(err)
	}
	c.lock(dir)
	return dir
}

// hub serves the model that the cases' projects name.
func (c *call) hub() {
	h := testworld.New(c).Hub(testworld.HubOptions{})
	h.Repo("bench/model", testworld.HubRepoOptions{}).Commit(map[string]testworld.HubFile{
		"config.json": testworld.Small("{}"), "model.safetensors": testworld.Large(testworld.Generated(1, 1<<20)),
	})
	c.env = append(c.env, "HF_ENDPOINT="+h.Endpoint)
}

// modelSpec is an image with that model, and one more line for the model.
const modelSpec = `name = "weights"
[debian]
packages = ["python3-minimal"]
[[model]]
from = "hf://bench/model@main"
path = "/models/bench"
%s
`

// lock makes a new lock of a project.
func (c *call) lock(dir string) {
	if err := os.RemoveAll(filepath.Join(dir, "image.lock")); err != nil {
		c.Fatal(err)
	}
	c.mustBuild(dir, "lock")
}
