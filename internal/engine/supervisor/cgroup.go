//go:build linux

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
)

// cgroup is the control group that buildkitd runs the steps of builds in (buildkitd.toml,
// defaultCgroupParent).
const cgroup = "lamina"

// limitBuilds keeps what the steps of builds take below what the machine has, all together:
// a step that forks or allocates without end ends itself, and neither the engine nor
// somebody else. root is where control groups are mounted, of either version.
func limitBuilds(root string) error {
	var info syscall.Sysinfo_t
	if err := syscall.Sysinfo(&info); err != nil {
		return fmt.Errorf("asking for the memory of the machine: %w", err)
	}
	memory := uint64(info.Totalram) * uint64(info.Unit) / 10 * 9 //nolint:unconvert // 32 bits elsewhere
	processes := 4096 + 1024*runtime.NumCPU()                    // threads are counted
	_, err := os.Stat(filepath.Join(root, "cgroup.controllers"))
	if errors.Is(err, fs.ErrNotExist) { // the first version has a tree for each
		return errors.Join(
			limit(filepath.Join(root, "pids", cgroup), "pids.max", strconv.Itoa(processes)),
			limit(filepath.Join(root, "memory", cgroup), "memory.limit_in_bytes", strconv.FormatUint(memory, 10)),
		)
	}
	return errors.Join(err,
		os.WriteFile(filepath.Join(root, "cgroup.subtree_control"), []byte("+pids +memory"), 0o600),
		limit(filepath.Join(root, cgroup), "pids.max", strconv.Itoa(processes)),
		limit(filepath.Join(root, cgroup), "memory.max", strconv.FormatUint(memory, 10)),
	)
}

// limit sets a limit of a group, which it makes where nobody has.
func limit(dir, name, value string) error {
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) { //nolint:gosec // as others are
		return err
	}
	return os.WriteFile(filepath.Join(dir, name), []byte(value), 0o600)
}
