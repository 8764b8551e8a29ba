// Package pytest runs the tests of Python scripts with this machine's Python: seconds after a
// change, without an engine. Builds run the same tests with the Python of an image.
package pytest

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// interpreter is the system's own, as in an image: a developer's own may come first in PATH.
const interpreter = "/usr/bin/python3"

// Suite is a directory of unittest tests.
type Suite struct {
	Dir  string   // where the tests run
	Top  string   // the top-level directory of their modules, below Dir
	Path []string // what else the interpreter imports from
	Uses string   // modules beyond the standard library: "packaging"
}

// Run runs the tests, and fails if one fails or none is found. It skips, saying what is missing,
// if the machine has no Python that can run them.
func (s Suite) Run(t *testing.T) {
	t.Helper()
	s.needs(t)
	//nolint:gosec // the directories of a test
	cmd := exec.CommandContext(t.Context(), interpreter, "-m", "unittest", "discover", "-s", "tests", "-t", s.Top)
	cmd.Dir = s.Dir
	cmd.Env = append(os.Environ(), "PYTHONPATH="+strings.Join(s.Path, ":"), "PYTHONDONTWRITEBYTECODE=1")
	_, named := os.LookupEnv("UV")
	if uv, err := exec.LookPath("uv"); err == nil && !named { // without uv, tests of what only uv does are skipped
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
		t.Skipf("%s is not Python 3.11 or later with %s", interpreter, s.Uses)
	}
}
