// Package process is for tests that need a second process: their own program, started again,
// with a variable that makes TestMain do something else.
package process

import (
	"bufio"
	"os"
	"os/exec"
	"testing"
)

// Start starts the test's program with a variable ("KEY=value"), and returns it with the first
// line that it prints. Its input stays open until the test ends. A caller that kills it must
// also wait for it.
func Start(t *testing.T, variable string) (cmd *exec.Cmd, said string) {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd = exec.CommandContext(t.Context(), program) //nolint:gosec // the test itself
	cmd.Env = append(os.Environ(), variable)
	cmd.Stderr = t.Output()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stdin.Close() })
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err = cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if said, err = bufio.NewReader(stdout).ReadString('\n'); err != nil {
		t.Fatalf("the second process said %q: %v", said, err)
	}
	return cmd, said
}
