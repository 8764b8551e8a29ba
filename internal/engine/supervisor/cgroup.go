//go:build linux

package main

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
)

// anyGroup sets the control group that the steps of builds run in by default.
const anyGroup = `defaultCgroupParent = "/lamina"`

// group is this engine's control group, used in its place. Each engine has its own, so that
// the steps of one don't use up the limits of another.
func (c config) group() string {
	sum := sha256.Sum256([]byte(c.root))
	return fmt.Sprintf("lamina-%x", sum[:4])
}

// divided is the path of the configuration that buildkitd is started with.
func (c config) divided() string { return c.path("divided.toml") }

// divide writes that configuration. It keeps a group that the user has chosen.
func divide(c config) error {
	text, err := os.ReadFile(c.config)
	if err != nil {
		return err
	}
	text = bytes.Replace(text, []byte(anyGroup), fmt.Appendf(nil, "defaultCgroupParent = %q", "/"+c.group()), 1)
	return os.WriteFile(c.divided(), text, 0o600) //nolint:gosec // the client names the directories
}

// groups returns the directories of the engine's control group in cgroup v1 and v2, the
// innermost first: with v1 runc makes one in the tree of each controller, and BuildKit
// has one below it for its containers.
func (c config) groups(root string) (dirs []string) {
	for _, below := range []string{"buildkit", ""} {
		trees, _ := filepath.Glob(filepath.Join(root, "*", c.group(), below)) // the pattern is valid
		dirs = append(append(dirs, trees...), filepath.Join(root, c.group(), below))
	}
	return dirs
}

// limitBuilds keeps all steps of builds together below what the machine has: a step that
// forks or allocates without end kills itself, and neither the engine nor other programs.
// root is where control groups, v1 or v2, are mounted. Each problem names what has no limit.
func limitBuilds(root, cgroup string) (problems []error) {
	var info syscall.Sysinfo_t
	if err := syscall.Sysinfo(&info); err != nil {
		return []error{fmt.Errorf("builds have no limits: asking for the memory of the machine: %w", err)}
	}
	memory := uint64(info.Totalram) * uint64(info.Unit) / 10 * 9 //nolint:unconvert // 32 bits elsewhere
	processes := 4096 + 1024*runtime.NumCPU()                    // threads are counted
	_, err := os.Stat(filepath.Join(root, "cgroup.controllers"))
	unified := !errors.Is(err, fs.ErrNotExist) // v1 has a tree for each
	for _, l := range []struct{ what, controller, v1, v2, value string }{
		{"processes", "pids", "pids.max", "pids.max", strconv.Itoa(processes)},
		{"memory", "memory", "memory.limit_in_bytes", "memory.max", strconv.FormatUint(memory, 10)},
	} {
		dir, name := filepath.Join(root, l.controller, cgroup), l.v1
		var disabled error
		if unified {
			dir, name = filepath.Join(root, cgroup), l.v2
			disabled = os.WriteFile(filepath.Join(root, "cgroup.subtree_control"), []byte("+"+l.controller), 0o600)
		}
		if err = limit(dir, name, l.value); err != nil {
			problems = append(problems, fmt.Errorf("builds have no limit on %s: %w", l.what, cmp.Or(disabled, err)))
		}
	}
	return problems
}

// limit sets a limit of a group, making the group if necessary.
func limit(dir, name, value string) error {
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) { //nolint:gosec // as others are
		return err
	}
	return os.WriteFile(filepath.Join(dir, name), []byte(value), 0o600) //nolint:gosec // in the tree of control groups
}
