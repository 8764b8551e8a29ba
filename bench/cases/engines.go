package cases

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

func engines() []aCase {
	return []aCase{
		{"engine/gpu-smoke", "exit 0, and the test has seen its GPU", (*call).gpuSmoke},
		{"engine/orphan-compile", "nothing runs on", (*call).orphanCompile},
	}
}

// gpuSmoke needs no GPU: the case's devices set a variable.
func (c *call) gpuSmoke() []row {
	e, err := c.openEngine("gpu", fmt.Appendf(nil, "\n[cdi]\n  specDirs = [%q]\n", filepath.Join(c.dir, "cdi")))
	if err != nil {
		c.Fatalf("starting an engine with CDI devices: %v", err)
	}
	defer e.Close()
	o := c.command(c.dir, []string{"BUILDKIT_HOST=" + e.Addr}, c.program, filepath.Join(c.dir, "p"), "--progress", "plain")
	ran := strings.Contains(o.stderr, "gpu 1")
	return []row{{seen: fmt.Sprintf("%s, the test ran: %t", o, ran), ok: o.code == 0 && ran}}
}

// orphanCompile gives the script its own directory: the script ends all processes of it.
func (c *call) orphanCompile() []row {
	o := c.command(c.dir, []string{"TMPDIR=" + c.TempDir(), "LAMINA=" + c.program, "BUILDKIT_HOST="}, "sh", "run.sh")
	var left []string
	for line := range strings.Lines(o.stdout) {
		if strings.Contains(line, os.TempDir()) { // as in the arguments of every process of the compile
			left = append(left, strings.TrimSpace(line))
		}
	}
	if len(left) == 0 {
		return []row{{seen: "nothing", ok: true}}
	}
	return []row{{seen: fmt.Sprintf("%d processes: %s", len(left), shorten(left[0]))}}
}
