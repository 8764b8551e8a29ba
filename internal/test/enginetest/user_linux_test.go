package enginetest_test

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// A user who can't run an engine is told so, in a line for each test.
func TestWithoutRoot(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can become another user")
	}
	t.Parallel()
	if err := os.Chmod("/proc/self/exe", 0o755); err != nil { // with a umask of 077 nobody else may run it
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run=^TestClientSolves$", "-test.v")
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	const line = "needs an engine, and only root can run one: this is user 65534\n"
	if err != nil || strings.Count(string(out), line) != 1 || !strings.Contains(string(out), "--- SKIP: TestClientSolves") {
		t.Errorf("%v\n%s", err, out)
	}
}
