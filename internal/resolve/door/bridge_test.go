package door_test

import (
	"context"
	"fmt"
	"net/http/cgi"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"lamina.build/internal/fetch"
	"lamina.build/internal/resolve/door"
)

// bridged returns the bridge with a Python command.
func bridged(t *testing.T, d *door.Door, seconds, script string) *exec.Cmd {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("there is no python3 on this machine")
	}
	if err := exec.CommandContext(t.Context(), python, "-c", "import asyncio; asyncio.TaskGroup").Run(); err != nil {
		t.Skip("python3 of this machine is older than 3.11")
	}
	file := filepath.Join(t.TempDir(), "bridge.py")
	if err := os.WriteFile(file, []byte(door.Bridge()), 0o600); err != nil {
		t.Fatal(err)
	}
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, d.Authority(), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), python, "-I", file, d.Socket(), seconds, python, "-c", script)
	cmd.Env = append(os.Environ(), "SSL_CERT_FILE="+ca, "NO_PROXY=*", "no_proxy=*", "ALL_PROXY=socks5://x")
	return cmd
}

func TestBridge(t *testing.T) {
	w := newWorld(t)
	content := strings.Repeat("content ", 10_000)
	w.host("files.example.com", text(content))
	d := open(t, door.Options{Client: w.client, Direct: []string{"https://files.example.com/x", "http://files.example.com/x"}})
	out, err := bridged(t, d, "60", `
import os, urllib.request, concurrent.futures
assert os.environ["NO_PROXY"] == "" == os.environ["no_proxy"] and "ALL_PROXY" not in os.environ
assert os.environ["HTTPS_PROXY"] == os.environ["http_proxy"]
def one(i):
    return len(urllib.request.urlopen(("https" if i % 2 else "http") + "://files.example.com/%d" % i).read())
with concurrent.futures.ThreadPoolExecutor(50) as pool:
    print(sum(pool.map(one, range(100))))
`).CombinedOutput()
	if want := fmt.Sprintf("%d\n", 100*len(content)); err != nil || string(out) != want {
		t.Errorf("got %s and %v", out, err)
	}
	if n := len(d.Seen()); n != 100 {
		t.Errorf("%d requests arrived", n)
	}
}

// Git accesses a remote as in an exec, only to read.
func TestGitThroughTheDoor(t *testing.T) {
	git, err := exec.LookPath("git")
	if err != nil {
		t.Skip("there is no git on this machine")
	}
	root := t.TempDir()
	run := func(args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), git, append([]string{"-c", "user.name=x", "-c", "user.email=x@example.com", "-C", root}, args...)...)
		if out, failed := cmd.CombinedOutput(); failed != nil {
			t.Skipf("git %q fails on this machine: %v, %s", args, failed, out)
		}
	}
	run("init", "-q", "repo")
	run("-C", "repo", "commit", "-q", "--allow-empty", "-m", "one")
	run("-C", "repo", "tag", "v1")
	w := newWorld(t)
	backend := &cgi.Handler{Path: git, Args: []string{"http-backend"}, Env: []string{"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*"}}
	w.host("git.example.com", backend.ServeHTTP)
	d := open(t, door.Options{Client: w.client, Direct: []string{"https://git.example.com/x"}})
	out, err := bridged(t, d, "60", `
import os, subprocess, tempfile
os.environ.update(GIT_SSL_CAINFO=os.environ["SSL_CERT_FILE"], GIT_CONFIG_GLOBAL="/dev/null", GIT_CONFIG_NOSYSTEM="1", GIT_TERMINAL_PROMPT="0")
os.environ.pop("GIT_SSL_NO_VERIFY", None)
with tempfile.TemporaryDirectory() as at:
    subprocess.run(["git", "clone", "-q", "--branch", "v1", "-c", "advice.detachedHead=false", "https://git.example.com/repo/.git", at], check=True)
    print(subprocess.run(["git", "log", "--format=%s"], cwd=at, check=True, capture_output=True, text=True).stdout)
    print(subprocess.run(["git", "push", "-q", "origin", "HEAD:refs/heads/evil"], cwd=at, capture_output=True, text=True).returncode != 0)
`).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "one") || !strings.Contains(string(out), "True") {
		t.Errorf("got %s and %v", out, err)
	}
	if !strings.Contains(reasons(d), "git may read from here, but not write") {
		t.Errorf("refused %q, problems %q", reasons(d), problems(d))
	}
}

func TestBridgePassesHalfCloses(t *testing.T) {
	w := newWorld(t)
	w.host("files.example.com", text("content"))
	d := open(t, door.Options{Client: w.client, Direct: []string{"http://files.example.com/x"}})
	out, err := bridged(t, d, "60", `
import os, socket
host, port = os.environ["http_proxy"].removeprefix("http://").split(":")
s = socket.create_connection((host, int(port)))
s.sendall(b"GET http://files.example.com/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
data = b""
while piece := s.recv(1000): data += piece
s.shutdown(socket.SHUT_WR)
print(data.decode())
`).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "content") {
		t.Errorf("got %s and %v", out, err)
	}
}

func TestBridgeReturnsTheStatus(t *testing.T) {
	d := open(t, door.Options{Client: fetch.New(fetch.Options{})})
	tests := []struct {
		name, seconds, script string
		want                  int
	}{
		{"success", "60", "", 0},
		{"its own", "60", "import sys; sys.exit(7)", 7},
		{"a signal", "60", "import os; os.kill(os.getpid(), 9)", 137},
		{"too late", "0.2", "import subprocess, sys, time; subprocess.Popen(['sleep', '600']); time.sleep(600)", 124},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cmd := bridged(t, d, tt.seconds, tt.script)
			out, err := cmd.CombinedOutput() // waits for whoever holds the pipe: all of the group
			if got := cmd.ProcessState.ExitCode(); got != tt.want {
				t.Errorf("got %d, %v and %s", got, err, out)
			}
		})
	}
}

func TestBridgePassesSignals(t *testing.T) {
	d := open(t, door.Options{Client: fetch.New(fetch.Options{})})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cmd := bridged(t, d, "60", `
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(5))
print("ready", flush=True)
time.sleep(60)
`)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	context.AfterFunc(ctx, func() { cmd.Process.Kill() })
	ready := make([]byte, 5)
	if _, err := stdout.Read(ready); err != nil || string(ready) != "ready" {
		t.Fatalf("got %q and %v", ready, err)
	}
	cmd.Process.Signal(syscall.SIGTERM)
	cmd.Wait()
	if got := cmd.ProcessState.ExitCode(); got != 5 {
		t.Error("got " + strconv.Itoa(got))
	}
}
