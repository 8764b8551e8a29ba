package e2etest

import (
	_ "embed"
	"os/exec"
	"path/filepath"
	"testing"
)

// clock is C, kept where no Go tool compiles it as part of the package.
//
//go:embed testdata/elsewhere.c
var clock []byte

// Elsewhere returns a user with an engine that has an empty cache and one CPU. What is installed
// there for the project in dir sees a clock 400 days ahead, and directories in reverse order.
// It skips the test if there is no C compiler.
func Elsewhere(t *testing.T, dir string) *User {
	t.Helper()
	compiler, err := exec.LookPath("gcc")
	if err != nil {
		t.Skip("needs gcc")
	}
	u := UserOf(t, engineOnOneCPU(t))
	u.Cache = t.TempDir()
	u.Build(t, "--print", dir) // unpacks the tools
	tools, err := filepath.Glob(filepath.Join(u.Cache, "lamina", "tools", "*", "*", "libeatmydata.so"))
	if err != nil || len(tools) != 1 {
		t.Fatalf("the tools are %q, %v", tools, err)
	}
	source := filepath.Join(t.TempDir(), "elsewhere.c")
	Write(t, source, clock)
	if out, err := exec.CommandContext(t.Context(), compiler, "-O2", "-shared", "-fPIC", "-o", tools[0], source).CombinedOutput(); err != nil { //nolint:gosec // our own
		t.Fatalf("compiling another clock: %v\n%s", err, out)
	}
	return u
}
