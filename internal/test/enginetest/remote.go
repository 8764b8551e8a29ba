package enginetest

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"lamina.build/internal/engine"
)

// Remote is a buildkitd that is reached over TCP, like one on another machine. It is killed with
// all its children when the test ends, or before.
type Remote struct {
	Addr string // tcp://…

	cmd *exec.Cmd
}

// StartRemote starts one that listens at an address, with further arguments, such as those for
// TLS, and variables ("KEY=value"). within is a command to start it with, such as one that
// enters a network namespace; it may be nil.
func StartRemote(t testing.TB, address string, within, env []string, args ...string) *Remote {
	t.Helper()
	Engine(t) // compiled
	o := Options(t)
	programs, err := filepath.Glob(filepath.Join(o.CacheDir, "engine", engine.Version+"-*", "buildkitd"))
	if err != nil || len(programs) == 0 {
		t.Fatalf("no buildkitd of the tests: %v", err)
	}
	dir, err := os.MkdirTemp("", "remote-") //nolint:usetesting // short enough for a socket
	if err != nil {
		t.Fatal(err)
	}
	line := slices.Concat([]string{"setpriv", "--pdeathsig", "KILL"}, within, []string{
		"unshare", "--pid", "--mount", "--fork", "--kill-child", "--mount-proc", programs[0], "--root", filepath.Join(dir, "root"), "--addr", "tcp://" + address,
		"--oci-worker", "true", "--oci-worker-net", "host", "--oci-worker-binary", Runc(t), "--otel-socket-path", filepath.Join(dir, "otel.sock"),
	}, args)
	r := &Remote{Addr: "tcp://" + address, cmd: exec.CommandContext(t.Context(), line[0], line[1:]...)} //nolint:gosec // the engine under test
	r.cmd.Env = append(os.Environ(), env...)
	r.cmd.Stdout, r.cmd.Stderr = t.Output(), t.Output()
	if err = r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Kill(); _ = os.RemoveAll(dir) })
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		conn, err := net.Dial("tcp", address) //nolint:noctx // at once or not at all
		if err == nil {
			_ = conn.Close()
			return r
		}
		if time.Now().After(deadline) {
			t.Fatalf("the engine doesn't listen: %v", err)
		}
	}
}

// Kill ends the engine like a power failure.
func (r *Remote) Kill() {
	_ = r.cmd.Process.Kill()
	_ = r.cmd.Wait() // it was killed
}

// FreePort returns an address of this machine where nobody listens.
func FreePort(t testing.TB, host string) string {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0")) //nolint:noctx // at once
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
