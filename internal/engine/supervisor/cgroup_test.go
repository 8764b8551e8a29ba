//go:build linux

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A limit that can't be set is named, and doesn't prevent the other.
func TestLimitsAreIndependent(t *testing.T) {
	for name, tt := range map[string]struct {
		dirs []string // below the mount point; one in a file's place can't be written
		want []string // the problems, in their order
		set  string
	}{
		"both":                 {[]string{"cgroup.controllers"}, nil, "x/memory.max"},
		"no memory":            {[]string{"cgroup.controllers", "x/memory.max"}, []string{"builds have no limit on memory: "}, "x/pids.max"},
		"no processes":         {[]string{"cgroup.controllers", "x/pids.max"}, []string{"builds have no limit on processes: "}, "x/memory.max"},
		"both, of version 1":   {[]string{"pids", "memory"}, nil, "memory/x/memory.limit_in_bytes"},
		"only one, version 1":  {[]string{"pids"}, []string{"builds have no limit on memory: "}, "pids/x/pids.max"},
		"neither":              {nil, []string{"builds have no limit on processes: ", "builds have no limit on memory: "}, ""},
		"nothing is delegated": {[]string{"cgroup.controllers", "cgroup.subtree_control", "x/memory.max"}, []string{"subtree_control"}, "x/pids.max"},
	} {
		root := t.TempDir()
		for _, dir := range tt.dirs {
			if err := os.MkdirAll(filepath.Join(root, dir), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		problems := limitBuilds(root, "x")
		if len(problems) != len(tt.want) {
			t.Errorf("%s: got %q", name, problems)
			continue
		}
		for i, problem := range problems {
			if !strings.Contains(problem.Error(), tt.want[i]) {
				t.Errorf("%s: got %q, want %q", name, problem, tt.want[i])
			}
		}
		if data, err := os.ReadFile(filepath.Join(root, tt.set)); tt.set != "" && (err != nil || len(data) == 0) {
			t.Errorf("%s: %s is not set: %v", name, tt.set, err)
		}
	}
}
