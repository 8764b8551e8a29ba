package e2etest

import (
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// Running is a started command. Its standard output is a pipe that nobody reads.
type Running struct {
	*exec.Cmd

	t    *testing.T
	mu   sync.Mutex
	text strings.Builder // of standard error
	more chan struct{}   // closed and replaced with each text
}

// Start starts the command.
func (u *User) Start(t *testing.T, args ...string) *Running {
	t.Helper()
	r := &Running{Cmd: exec.CommandContext(t.Context(), Program(t), args...), t: t, more: make(chan struct{})} //nolint:gosec // the command under test
	r.Dir, r.Stderr, r.Env = u.Dir, r, u.environ()
	_, err := r.StdoutPipe()
	if err == nil {
		err = r.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Write receives standard error.
func (r *Running) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	close(r.more)
	r.more = make(chan struct{})
	return r.text.Write(p)
}

// Said returns what it has written to standard error.
func (r *Running) Said() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

// Until waits for a text on standard error.
func (r *Running) Until(text string) {
	r.t.Helper()
	for limit := time.After(2 * time.Minute); ; {
		r.mu.Lock()
		said, more := r.text.String(), r.more
		r.mu.Unlock()
		if strings.Contains(said, text) {
			return
		}
		select {
		case <-more:
		case <-limit:
			r.t.Fatalf("it never came to %q:\n%s", text, Tail(said))
		}
	}
}

// Ends waits for the end, with an exit code that is negative if a signal ended it. After five
// minutes it kills the command, which is a failure.
func (r *Running) Ends(code int) {
	r.t.Helper()
	late := time.AfterFunc(5*time.Minute, func() { _ = r.Process.Kill() })
	_ = r.Wait()
	if !late.Stop() {
		r.t.Errorf("it didn't end:\n%s", Tail(r.Said()))
		return
	}
	if got := r.ProcessState.ExitCode(); got != code {
		r.t.Errorf("exit code %d, want %d\n%s", got, code, Tail(r.Said()))
	}
}

func (u *User) environ() []string {
	return append(append(os.Environ(), "XDG_CACHE_HOME="+u.Cache, "BUILDKIT_HOST="+u.Addr), u.Env...)
}
