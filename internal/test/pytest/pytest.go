// Package pytest runs the tests of Python scripts on the Python of this machine:
// seconds after a change, without an engine. Builds run the same tests on the Python
// that the scripts meet in an image.
package pytest

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// interpreter is the system's own, as in an image: a developer's may come first in PATH.
const interpreter = "/usr/bin/python3"

// Suite is a directory of unittest tests.
type Suite struct {
	Dir  string   // that the tests run in
	Top  string   // the top-level directory of their modules, below Dir
	Path []string // what else the interpreter imports from
	Uses string   // modules beyond the standard library: "packaging"
}

// Run runs the tests, and fails where one fails or none is found. It skips where the
// machine has no Python that can run them, and says what is missing.
func (s Suite) Run(t *testing.T) {
	t.Helper()
	s.needs(t)
	//nolint:gosec // the directories of a test
	cmd := exec.CommandContext(t.Context(), interpreter, "-m", "unittest", "discover", "-s", "tests", "-t", s.Top)
	cmd.Dir = s.Dir
	cmd.Env = append(os.Environ(), "PYTHONPATH="+strings.Join(s.Path, ":"), "PYTHONDONTWRITEBYTECODE=1")
	_, named := os.LookupEnv("UV")
	if uv, err := exec.LookPath("uv"); err == nil && !named { // tests of what only uv does are left out without
		cmd.Env = append(cmd.Env, "UV="+uv)
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, out)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if strings.Contains(string(out), "\nRan 0 tests") || !strings.HasPrefix(lines[len(lines)-1], "OK") {
		t.Fatalf("no test ran:\n%s", out)
	}
	t.Log(strings.Join(lines[max(len(lines)-3, 0):], " "))
}

// needs skips a test that this machine's Python can't run.
func (s Suite) needs(t *testing.T) {
	t.Helper()
	check := "import sys, " + s.Uses + "; sys.exit(sys.version_info < (3, 11))"
	if exec.CommandContext(t.Context(), interpreter, "-c", check).Run() != nil { //nolint:gosec // the modules of a test
		t.Skipf("%s is no Python of 3.11 or later that has %s", interpreter, s.Uses)
	}
}
