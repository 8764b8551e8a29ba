package e2etest

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Schemas runs a program of the module internal/test/schemas, "." or "tool NAME", and returns
// its output and error. It skips the test if the module can't be downloaded.
func Schemas(t *testing.T, args ...string) (out string, err error) {
	t.Helper()
	dir := filepath.Join(Root(t), "internal", "test", "schemas")
	text, err := exec.CommandContext(t.Context(), "go", "-C", dir, "mod", "download").CombinedOutput() //nolint:gosec // a directory of ours
	if err != nil {
		t.Skipf("the module of schemas can't be downloaded: %s", bytes.TrimSpace(text))
	}
	words := append([]string{"-C", dir}, args...)
	if args[0] == "." {
		words = append([]string{"-C", dir, "run"}, args...)
	}
	text, err = exec.CommandContext(t.Context(), "go", words...).CombinedOutput() //nolint:gosec // words of tests
	return strings.TrimSpace(string(text)), err
}
