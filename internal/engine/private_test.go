package engine_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	bkllb "github.com/moby/buildkit/client/llb"

	"lamina.build/internal/engine"
	"lamina.build/internal/failure"
)

func TestEngineEndsWithItsLastClient(t *testing.T) {
	o := options(t)
	first := open(t, o)
	if first.Kind != engine.Private || !first.Same {
		t.Errorf("got a %s engine of version %s, want a private one of %s", first.Kind, first.Version, engine.Version)
	}
	second := open(t, o)
	st := status(t, o)
	if !st.Running || st.Clients != 2 || st.Version != engine.Version || st.Address != first.Addr || st.Kept {
		t.Errorf("got status %+v, want one running for 2 clients", st)
	}
	closeEngine(t, first)
	if _, err := second.Client().Info(t.Context()); err != nil {
		t.Errorf("the engine ended before its last client: %v", err)
	}
	closeEngine(t, second)
	waitGone(t, o)
	if entries, err := os.ReadDir(filepath.Dir(engine.Socket(o.StateDir))); err == nil {
		t.Errorf("the socket's directory is still there with %v", entries)
	}
}

func TestOpenWaitsForAnEndingEngine(t *testing.T) {
	o := options(t)
	for range 3 { // each Open hits the end of the previous engine
		closeEngine(t, open(t, o))
	}
}

func TestProcessesShareOneEngine(t *testing.T) {
	o := options(t)
	started := make(chan *engine.Engine)
	go func() {
		e, err := engine.Open(t.Context(), o)
		if err != nil {
			t.Error(err)
		}
		started <- e
	}()
	child := clientProcess(t, o.StateDir)
	e := <-started
	if e == nil {
		t.FailNow()
	}
	if st := status(t, o); st.Clients != 2 {
		t.Errorf("got %d clients, want this process and its child", st.Clients)
	}
	if got := processes(filepath.Join(o.StateDir, "root")); len(got) != 3 {
		t.Errorf("got processes %v, want one supervisor, its init and one buildkitd", got)
	}
	closeEngine(t, e)
	if st := status(t, o); !st.Running {
		t.Error("the engine ended although the child uses it")
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait()
	waitGone(t, o)
}

func TestKilledClientEndsTheEngine(t *testing.T) {
	o := options(t)
	child := clientProcess(t, o.StateDir)
	if !status(t, o).Running {
		t.Fatal("the engine does not run")
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait()
	waitGone(t, o)
}

// A killed engine ends its builds and leaves nothing behind, and the next one continues from
// finished work.
func TestKilledEngine(t *testing.T) {
	tests := []struct {
		name   string
		victim func(t *testing.T, o engine.Options) int
	}{
		{"supervisor", func(t *testing.T, o engine.Options) int { return status(t, o).PID }},
		{"buildkitd", func(t *testing.T, o engine.Options) int { return pidOf(t, o, "--oci-worker-binary") }},
		{"init", func(t *testing.T, o engine.Options) int { return pidOf(t, o, "\x00init\x00") }},
	}
	step := bkllb.State{}
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := options(t)
			if i == 0 {
				step = stepState(t)
			}
			e := open(t, o)
			done := run(step, "done")
			if _, err := solve(t.Context(), e, done, nil); err != nil {
				t.Fatal(err)
			}
			running := make(chan struct{})
			failed := make(chan error)
			go func() {
				_, err := solve(t.Context(), e, run(done, "sleeping", "sleep", o.StateDir), func() { close(running) })
				failed <- err
			}()
			<-running
			if err := syscall.Kill(tt.victim(t, o), syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			err := e.Explain(t.Context(), <-failed)
			if err == nil || !strings.Contains(err.Error(), "went away during the build") || failure.KindOf(err) != failure.Transient {
				t.Errorf("got error %v, want one that says that the engine ended", err)
			}
			checkNothingLeft(t, filepath.Join(o.StateDir, "root"))
			closeEngine(t, e)

			e = open(t, o)
			defer closeEngine(t, e)
			cached, err := solve(t.Context(), e, done, nil)
			if err != nil {
				t.Fatal(err)
			}
			if !cached["done"] {
				t.Errorf("the step that was done ran again: %v", cached)
			}
		})
	}
}

// A step that starts threads without end hits the limit of all steps together, and the engine
// keeps running.
func TestStepsHaveLimits(t *testing.T) {
	o := options(t)
	e := open(t, o)
	log, err := os.ReadFile(filepath.Join(o.StateDir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(log), "builds have no limit") {
		t.Skipf("nobody may make control groups here:\n%s", log)
	}
	sum := sha256.Sum256([]byte(filepath.Join(o.StateDir, "root")))
	groups := fmt.Sprintf("/sys/fs/cgroup/*/lamina-%x", sum[:4])
	step := stepState(t)
	most := 2 * (4096 + 1024*runtime.NumCPU())
	if _, err := solve(t.Context(), e, run(step, "threads", "threads", strconv.Itoa(most)), nil); err == nil || !strings.Contains(err.Error(), "exit code: 2") {
		t.Errorf("a step with %d threads: %v", most, err)
	}
	if _, err := solve(t.Context(), e, run(step, "done"), nil); err != nil {
		t.Error(err)
	}
	if made, err := filepath.Glob(groups); err != nil || len(made) == 0 && !isUnified() {
		t.Errorf("no group of the engine's own: %q, %v", made, err)
	}
	closeEngine(t, e)
	eventually(t, "the engine to end", func() bool { return !status(t, o).Running })
	eventually(t, "its groups to go", func() bool { left, _ := filepath.Glob(groups); return len(left) == 0 })
}

// isUnified reports whether the machine has cgroup v2, with all groups in one tree.
func isUnified() bool {
	_, err := os.Stat("/sys/fs/cgroup/cgroup.controllers")
	return err == nil
}

// pidOf finds the engine's process that has a word in its command line.
func pidOf(t *testing.T, o engine.Options, word string) int {
	t.Helper()
	with := processes(word)
	for _, name := range processes(o.StateDir) {
		if pid, err := strconv.Atoi(name); err == nil && slices.Contains(with, name) {
			return pid
		}
	}
	t.Fatalf("no process of the engine has %q in its command line", word)
	return 0
}

func TestExplainLeavesOtherErrorsAlone(t *testing.T) {
	o := options(t)
	e := open(t, o)
	defer closeEngine(t, e)
	for _, err := range []error{nil, errors.New("exit code 1"), context.Canceled, errors.New("unexpected EOF in layer")} {
		if got := e.Explain(t.Context(), err); got != err { //nolint:errorlint // the same error is wanted
			t.Errorf("Explain(%v) = %v", err, got)
		}
	}
}

// An engine has short paths for its sockets, also for those in its temporary directory, however
// deep its state lies.
func TestDeepStateDirectory(t *testing.T) {
	for _, length := range []int{61, 84, 200} {
		o := options(t)
		o.StateDir = filepath.Join(o.StateDir, strings.Repeat("x", max(1, length-1-len(o.StateDir))))
		if s := engine.Socket(o.StateDir); !strings.HasPrefix(s, "/run/lamina-") {
			t.Errorf("got socket %q, want a short one", s)
		}
		e := open(t, o)
		process := filepath.Join("/proc", strconv.Itoa(pidOf(t, o, "--oci-worker-binary")))
		env, err := os.ReadFile(filepath.Join(process, "environ"))
		if err != nil {
			t.Fatal(err)
		}
		_, temp, _ := strings.Cut(string(env), "TMPDIR=")
		temp, _, _ = strings.Cut(temp, "\x00")
		if socket := filepath.Join(temp, ".buildkit-ssh-sock4294967295", "ssh_auth_sock"); len(socket) > 107 {
			t.Errorf("a socket would be at %q", socket)
		}
		err = os.WriteFile(filepath.Join(process, "root", temp, "file"), nil, 0o600)
		if _, lost := os.Stat(filepath.Join(o.StateDir, "tmp", "file")); err != nil || lost != nil {
			t.Errorf("temporary files are not in the state directory: %v, %v", err, lost)
		}
		closeEngine(t, e)
		waitGone(t, o)
		if _, err := os.Stat(filepath.Dir(engine.Socket(o.StateDir))); err == nil {
			t.Error("the socket's directory is still there")
		}
	}
}

func TestSocketIsForItsOwnerOnly(t *testing.T) {
	o := options(t)
	defer closeEngine(t, open(t, o))
	info, err := os.Stat(filepath.Dir(engine.Socket(o.StateDir)))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o700 {
		t.Errorf("got mode %s of the socket's directory, want 0700: buildkitd lets everybody in", info.Mode())
	}
}

// An engine with running builds gets no new registries. A build that needs them is told so.
func TestRunningEnginesAreNotToldOfRegistries(t *testing.T) {
	o := options(t)
	known := engine.Registry{Host: "known.test:5000", CAs: []string{`/a "b".crt`}, KeyPairs: []engine.KeyPair{{Certificate: "/c", Key: "/k"}}, Mirrors: []string{"m.test/x"}}
	o.Registries = []engine.Registry{known}
	first := open(t, o)
	defer closeEngine(t, first)
	var said []string
	o.Progress = func(line string) { said = append(said, line) }
	closeEngine(t, open(t, o))
	if len(said) != 0 {
		t.Errorf("reported %q about what it was started with", said)
	}
	o.Registries = append(o.Registries, engine.Registry{Host: "new.test", HTTP: true})
	closeEngine(t, open(t, o))
	if len(said) != 1 || !strings.Contains(said[0], "a different way to reach new.test;") {
		t.Errorf("said %q", said)
	}
}
