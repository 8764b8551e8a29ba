package mutate

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"syscall"
	"time"
)

// memory is what a test may have, in KiB of addresses: a loop that a mutant made
// endless must not take the machine with it.
const memory = 8 << 20

// shell limits what the tests may have, and gives them, where it may, mounts of their
// own: one that is killed leaves those that it made.
const shell = `ulimit -v %d; if unshare -m true 2>/dev/null; then exec unshare -m "$@"; fi; exec "$@"`

// baseline is how long the tests of a package take as it is.
type baseline struct {
	once sync.Once
	took time.Duration
	err  error
}

// baseline runs the tests of a package as it is, once.
func (w *world) baseline(ctx context.Context, path string) (time.Duration, error) {
	w.mu.Lock()
	b, ok := w.baselines[path]
	if !ok {
		b = &baseline{}
		w.baselines[path] = b
	}
	w.mu.Unlock()
	b.once.Do(func() {
		var out bytes.Buffer
		start := time.Now()
		passed, err := w.test(ctx, path, "", 10*time.Minute, &out)
		b.took = time.Since(start)
		if b.err = err; err == nil && !passed {
			b.err = fmt.Errorf("the tests of %s fail without any mutant:\n%s", path, out.Bytes())
		}
	})
	return b.took, b.err
}

// try runs the tests that a mutant concerns until one fails: its package's own,
// then those of its importers, the quickest first.
func (w *world) try(ctx context.Context, m *Mutant, out io.Writer) (Result, error) {
	start := time.Now()
	folder, err := os.MkdirTemp("", "mutant")
	if err != nil {
		return Result{}, err
	}
	defer os.RemoveAll(folder)
	overlay, err := m.overlay(folder)
	if err != nil {
		return Result{}, err
	}
	r := Result{ID: m.ID, Status: survived, Where: m.Where(), Diff: m.Diff()}
	if err = w.tryOn(ctx, &r, m.subject.ImportPath, overlay, out); err != nil {
		return r, err
	}
	if r.Status == survived && !w.own {
		if err = w.tryOnImporters(ctx, &r, m.subject.ImportPath, overlay, out); err != nil {
			return r, err
		}
	}
	r.Seconds = time.Since(start).Seconds()
	r.State, err = w.state(r)
	return r, err
}

func (w *world) tryOnImporters(ctx context.Context, r *Result, own, overlay string, out io.Writer) error {
	importers := w.importers(own)
	took := map[string]time.Duration{}
	for _, path := range importers {
		var err error
		if took[path], err = w.baseline(ctx, path); err != nil {
			return err
		}
	}
	slices.SortStableFunc(importers, func(a, b string) int { return cmp.Compare(took[a], took[b]) })
	for _, path := range importers {
		if err := w.tryOn(ctx, r, path, overlay, out); err != nil || r.Status != survived {
			return err
		}
	}
	return nil
}

// failedTest is how the go command tells of one, and which were running at a timeout.
var failedTest = regexp.MustCompile(`(?m)^\s*(?:--- FAIL: |\t?)((?:Test|Fuzz|Example)\S*) \(`)

// tryOn runs the tests of one package and notes what came of it.
func (w *world) tryOn(ctx context.Context, r *Result, path, overlay string, out io.Writer) error {
	took, err := w.baseline(ctx, path)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	limit := 30*time.Second + 4*took
	passed, err := w.test(ctx, path, overlay, limit, io.MultiWriter(out, &text))
	switch {
	case err != nil:
		return err
	case bytes.Contains(text.Bytes(), []byte("[build failed]")), bytes.Contains(text.Bytes(), []byte("[setup failed]")):
		r.Status, r.By = invalid, path
	case !passed && bytes.Contains(text.Bytes(), []byte("panic: test timed out")):
		r.Status, r.By = timeout, path
	case !passed:
		r.Status, r.By = killed, path
	}
	if failed := failedTest.FindSubmatch(text.Bytes()); failed != nil {
		r.Test = string(failed[1])
	}
	r.Ran = append(r.Ran, path)
	return nil
}

// overlay writes what has the go command take the changed file for the real one.
func (m *Mutant) overlay(folder string) (string, error) {
	changed, overlay := filepath.Join(folder, "mutant.go"), filepath.Join(folder, "overlay.json")
	data, err := json.Marshal(map[string]any{"Replace": map[string]string{m.file.name: changed}})
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(changed, m.text(), 0o600); err != nil {
		return "", err
	}
	return overlay, os.WriteFile(overlay, data, 0o600)
}

// test says whether the tests of a package pass. They have a home of their own,
// and what they start ends with them.
func (w *world) test(ctx context.Context, path, overlay string, limit time.Duration, out io.Writer) (bool, error) {
	home, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(home)
	args := []string{"-c", fmt.Sprintf(shell, memory), "sh", "go", "test", "-short", "-count=1", "-failfast", "-vet=off", "-timeout", limit.String()}
	if overlay != "" {
		args = append(args, "-overlay", overlay)
	}
	ctx, cancel := context.WithTimeout(ctx, limit+5*time.Minute) // to compile, beside others
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", append(args, path)...) //nolint:gosec // a package of this module
	cmd.Dir, cmd.Stdout, cmd.Stderr = w.root, out, out
	cmd.Env = slices.Concat(os.Environ(), w.env, []string{"HOME=" + home, "XDG_CACHE_HOME=" + home, "TMPDIR=" + home})
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	all := func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.Cancel, cmd.WaitDelay = all, 10*time.Second
	if err = cmd.Start(); err != nil {
		return false, fmt.Errorf("testing %s: %w", path, err)
	}
	err = cmd.Wait()
	_ = all()
	if ctx.Err() != nil {
		return false, fmt.Errorf("testing %s: %w", path, ctx.Err())
	}
	return err == nil, nil
}
