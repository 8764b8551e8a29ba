package faults

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"lamina.build/internal/engine"
	"lamina.build/internal/test/e2etest"
)

func status(t *testing.T, u *e2etest.User) (s engine.Status) {
	t.Helper()
	if err := json.Unmarshal([]byte(u.Build(t, "engine", "status", "--json").Stdout), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// await waits until a condition holds.
func await(t *testing.T, r *e2etest.Running, what string, isSo func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !isSo(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("timed out waiting for %s:\n%s", what, r.Said())
		}
	}
}

// opens returns a function that reports whether a command has a file open.
func opens(r *e2etest.Running, path string) func() bool {
	return func() bool {
		files, _ := filepath.Glob("/proc/" + strconv.Itoa(r.Process.Pid) + "/fd/*")
		for _, f := range files {
			if at, err := os.Readlink(f); err == nil && at == path {
				return true
			}
		}
		return false
	}
}

// Each engine command that is stopped midway returns its exit code, and works when it is run
// again. Nothing is left of a stopped engine.
func TestRealEngineCommandsStopped(t *testing.T) {
	for _, stop := range []struct {
		signal syscall.Signal
		code   int
	}{{syscall.SIGTERM, 130}, {syscall.SIGHUP, 130}, {syscall.SIGKILL, -1}} {
		t.Run(stop.signal.String(), func(t *testing.T) {
			t.Parallel()
			u, state := e2etest.Alone(t, e2etest.ShortDir(t))
			signal := func(r *e2etest.Running, code int) {
				t.Helper()
				if err := r.Process.Signal(stop.signal); err != nil {
					t.Fatal(err)
				}
				r.Ends(code)
			}
			send := func(r *e2etest.Running) {
				t.Helper()
				signal(r, stop.code)
			}

			// A start waits for another one in progress.
			start := hold(t, filepath.Join(state, "start"))
			r := u.Start(t, "engine", "start")
			await(t, r, "the start to wait", opens(r, filepath.Join(state, "start")))
			send(r)
			_ = start.Close()
			if s := status(t, u); s.Running || s.Kept {
				t.Errorf("after a start that was stopped it is %+v", s)
			}

			// Another is stopped while buildkitd starts: the engine ends by itself, or the
			// next start finds it.
			r = u.Start(t, "engine", "start")
			log := filepath.Join(state, "log")
			await(t, r, "the log", func() bool { info, err := os.Stat(log); return err == nil && info.Size() > 0 })
			_ = r.Process.Signal(stop.signal)
			_ = r.Wait() // the start may have been faster
			u.Build(t, "engine", "start")
			if s := status(t, u); !s.Running || !s.Kept {
				t.Errorf("started again it is %+v", s)
			}

			// The lease is not available while an engine ends.
			lease := hold(t, filepath.Join(state, "lease"))
			r = u.Start(t, "engine", "du")
			await(t, r, "the lease to be waited for", opens(r, filepath.Join(state, "lease")))
			send(r)
			_ = lease.Close()
			if r := u.Build(t, "engine", "du"); !strings.Contains(r.Stdout, "0 B") {
				t.Errorf("du prints %s", r.Stdout)
			}

			r = u.Start(t, "engine", "logs", "--follow")
			await(t, r, "the log to be read", opens(r, log))
			signal(r, min(stop.code, 0)) // that is how one ends
			if r := u.Build(t, "engine", "logs", "--tail", "1"); strings.Count(r.Stdout, "\n") != 1 {
				t.Errorf("the last line is %q", r.Stdout)
			}

			// A stop waits for a suspended supervisor.
			s := status(t, u)
			if err := syscall.Kill(s.PID, syscall.SIGSTOP); err != nil {
				t.Fatal(err)
			}
			r = u.Start(t, "engine", "stop")
			await(t, r, "the stop to begin", func() bool { _, err := os.Stat(filepath.Join(state, "keep")); return err != nil })
			send(r)
			if err := syscall.Kill(s.PID, syscall.SIGCONT); err != nil {
				t.Fatal(err)
			}
			u.Build(t, "engine", "stop")
			if s := status(t, u); s.Running || s.Kept || s.Clients != 0 {
				t.Errorf("stopped again it is %+v", s)
			}
			nothingLeft(t, u.Cache)
		})
	}
}

// hold takes a lock that the commands wait for.
func hold(t *testing.T, path string) *os.File {
	t.Helper()
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err == nil {
		err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX)
	}
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// The error for a full disk of the engine's own root names it before anything is built;
// with room the same root works.
func TestRealDiskOfTheEngineIsFull(t *testing.T) {
	t.Parallel()
	cache, dir := e2etest.ShortDir(t), e2etest.Small(t)
	root := filepath.Join(cache, "lamina", "engine")
	if err := os.MkdirAll(root, 0o700); err != nil {
		t.Fatal(err)
	}
	diskAt(t, root)
	u, state := e2etest.Alone(t, cache)
	fill(t, root, 0)
	u.Fails(t, 1, []string{"engine", full, "hint: "}, "engine", "start")
	u.Fails(t, 1, []string{full, "hint: "}, dir, "--smoke", "off", "--progress", "quiet")
	u.HasNoImage(t)
	if err := os.Remove(filepath.Join(root, "hog")); err != nil {
		t.Fatal(err)
	}
	u.Build(t, "engine", "start")
	u.Fails(t, 1, []string{"free; this build needs", "hint: free some space, run `build engine prune`"}, dir, "--smoke", "off", "--progress", "quiet")
	u.Build(t, "engine", "du")
	u.Build(t, "engine", "prune", "--all")
	u.Build(t, "engine", "stop")
	nothingLeft(t, state)
}
