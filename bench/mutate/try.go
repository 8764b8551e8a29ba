package mutate

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"syscall"
	"time"
)

// memory limits a test's address space, in KiB: an endless loop in a mutant must not
// exhaust the machine.
const memory = 8 << 20

// shell limits the tests' resources, and gives them their own mount namespace if it can:
// a killed test leaves its mounts.
const shell = `ulimit -v %d; ulimit -S -t %d; if unshare -m true 2>/dev/null; then exec unshare -m "$@"; fi; exec "$@"`

// try runs the tests that a mutant affects until one fails: its package's own, then those
// of its importers, the quickest first.
func (w *world) try(ctx context.Context, m *Mutant, out io.Writer) (Result, error) {
	start := time.Now()
	r := Result{ID: m.ID, Status: survived, Where: m.Where(), Diff: m.Diff()}
	err := w.tryOn(ctx, &r, m, m.subject.ImportPath, out)
	if err == nil && r.Status == survived && !w.own {
		err = w.tryOnImporters(ctx, &r, m, out)
	}
	if err != nil {
		return r, err
	}
	r.Seconds = time.Since(start).Seconds()
	r.State, err = w.state(r)
	return r, err
}

func (w *world) tryOnImporters(ctx context.Context, r *Result, m *Mutant, out io.Writer) error {
	importers := w.importers(m.subject.ImportPath)
	took := map[string]time.Duration{}
	for _, path := range importers {
		p, err := w.program(ctx, path)
		if err != nil {
			return err
		}
		took[path] = p.took
	}
	slices.SortStableFunc(importers, func(a, b string) int { return cmp.Compare(took[a], took[b]) })
	for _, path := range importers {
		if err := w.tryOn(ctx, r, m, path, out); err != nil || r.Status != survived {
			return err
		}
	}
	return nil
}

// failedTest matches the go command's output about a failed test, or one running at a timeout.
var failedTest = regexp.MustCompile(`(?m)^\s*(?:--- FAIL: |\t?)((?:Test|Fuzz|Example)\S*) \(`)

// tryOn runs the tests of one package and records the result.
func (w *world) tryOn(ctx context.Context, r *Result, m *Mutant, path string, out io.Writer) error {
	p, err := w.program(ctx, path)
	if err != nil {
		return err
	}
	r.Ran = append(r.Ran, path)
	var text bytes.Buffer
	name := p.name
	switch {
	case m.number == "":
		var dir string
		if dir, err = os.MkdirTemp("", "mutant"); err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		name = filepath.Join(dir, "mutant.test")
		if err = writeOverlay(dir, map[string][]byte{m.file.name: m.text()}); err != nil {
			return err
		}
		if w.compile(ctx, path, filepath.Join(dir, "overlay.json"), name, &text) != nil {
			r.Status, r.By = invalid, path
			_, err = out.Write(text.Bytes())
			return errors.Join(err, ctx.Err())
		}
	case !p.reached[m.number]:
		_, err = fmt.Fprintf(out, "no test of %s reaches it\n", path)
		return err
	}
	limit := limits{30*time.Second + 4*p.took, 10*time.Second + 4*p.cpu}
	passed, _, err := w.test(ctx, path, name, limit, io.MultiWriter(out, &text), chosenVariable+"="+m.number)
	switch {
	case err != nil:
		return err
	case !passed && (bytes.Contains(text.Bytes(), []byte("panic: test timed out")) || bytes.Contains(text.Bytes(), []byte("SIGXCPU"))):
		r.Status, r.By = timeout, path
	case !passed:
		r.Status, r.By = killed, path
	}
	if failed := failedTest.FindSubmatch(text.Bytes()); failed != nil {
		r.Test = string(failed[1])
	}
	return nil
}

// limits are those of a test program. The limit of CPU time detects endless loops,
// however busy the machine is.
type limits struct{ wall, cpu time.Duration }

// test reports whether the tests of a package pass, and their CPU time. They have their
// own home directory, and their processes end with them.
func (w *world) test(ctx context.Context, path, program string, limit limits, out io.Writer, env ...string) (bool, time.Duration, error) {
	home, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return false, 0, err
	}
	defer os.RemoveAll(home)
	ctx, cancel := context.WithTimeout(ctx, limit.wall+time.Minute)
	defer cancel()
	script := fmt.Sprintf(shell, memory, int(limit.cpu.Seconds()))
	cmd := exec.CommandContext(ctx, "sh", "-c", script, "sh", program, "-test.short", "-test.failfast", "-test.timeout", limit.wall.String()) //nolint:gosec // a program made here
	cmd.Dir, cmd.Stdout, cmd.Stderr = w.packages[path].Dir, out, out
	cmd.Env = slices.Concat(os.Environ(), w.env, []string{"HOME=" + home, "XDG_CACHE_HOME=" + home, "TMPDIR=" + home}, env)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	all := func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.Cancel, cmd.WaitDelay = all, 10*time.Second
	if err = cmd.Start(); err != nil {
		return false, 0, fmt.Errorf("testing %s: %w", path, err)
	}
	err = cmd.Wait()
	_ = all()
	if ctx.Err() != nil {
		return false, 0, fmt.Errorf("testing %s: %w", path, ctx.Err())
	}
	return err == nil, cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), nil
}
