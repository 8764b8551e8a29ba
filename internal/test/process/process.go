// Package process has tests that need a second process: their own program, started once
// more, which a variable makes do something else in TestMain.
package process

import (
	"bufio"
	"os"
	"os/exec"
	"testing"
)

// Start starts the test's program with a variable ("KEY=value") and returns it when it
// has printed a line, which is returned as well. Its input stays open until the test ends.
// Whoever kills it waits for it, too.
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
