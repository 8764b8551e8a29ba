package gpu

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lamina.build/internal/engine"
	"lamina.build/internal/test/e2etest"
	"lamina.build/internal/test/enginetest"
)

// machine has a driver, and an engine that reads CDI specs from a directory.
type machine struct {
	t       *testing.T
	options engine.Options
	dir     string // of the driver's files, and of specs
}

// hook does what nvidia-cdi-hook does, and records that it did.
const hook = `#!/bin/sh
set -eu
bundle=$(sed -n 's/.*"bundle":"\([^"]*\)".*/\1/p')
root=$(sed -n 's/.*"root":{"path":"\([^"]*\)".*/\1/p' "$bundle/config.json")
command=$1
shift
case $command in
create-symlinks)
	while [ $# -gt 0 ]; do
		ln -s "${2%%::*}" "$root${2##*::}"
		shift 2
	done
	;;
update-ldcache) ldconfig -r "$root" ;;
esac
echo "$command" >>DIR/hooks
`

func newMachine(t *testing.T) machine {
	t.Helper()
	m := machine{t: t, options: enginetest.Options(t), dir: t.TempDir()}
	state, err := os.MkdirTemp("", "engine-") //nolint:usetesting // short enough for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(state) })
	m.options.StateDir = state
	if err = os.WriteFile(m.path("nvidia-cdi-hook"), []byte(strings.ReplaceAll(hook, "DIR", m.dir)), 0o755); err != nil {
		t.Fatal(err)
	}
	e2etest.Write(t, m.path("libcuda.so.535.1"), []byte("the driver"))
	return m
}

func (m machine) path(name string) string { return filepath.Join(m.dir, name) }

// config returns the engine's configuration. [cdi] says where the specs are.
func (m machine) config(cdi string) []byte {
	return fmt.Appendf(nil, "[worker.oci]\n  enabled = true\n  snapshotter = \"overlayfs\"\n  networkMode = \"host\"\n[worker.containerd]\n  enabled = false\n[cdi]\n  %s\n", cdi)
}

// user returns a user of the machine's engine, and a function that stops it.
func (m machine) user(cdi string) (*e2etest.User, func()) {
	m.t.Helper()
	m.options.Config = m.config(cdi)
	e, err := engine.Open(m.t.Context(), m.options)
	if err != nil {
		m.t.Fatal(err)
	}
	return e2etest.UserOf(m.t, e), func() {
		if err := e.Close(); err != nil {
			m.t.Error(err)
		}
	}
}

// spec sets the machine's devices to those of the names, in the form of "nvidia-ctk cdi
// generate"; without names it removes the spec.
func (m machine) spec(names ...string) {
	m.t.Helper()
	var text strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&text, format+"\n", args...) }
	call := func(indent, command string, args ...string) {
		line("%s- hookName: createContainer\n%s  path: %s\n%s  args: [nvidia-cdi-hook, %s, %s]", indent, indent, m.path("nvidia-cdi-hook"), indent, command, strings.Join(args, ", "))
	}
	line("cdiVersion: 0.5.0\nkind: nvidia.com/gpu\ndevices:")
	for _, name := range names {
		line("- name: %q\n  containerEdits:\n    deviceNodes:", name)
		for _, number := range []string{"0", "1"} {
			if name == number || name == "GPU-"+number || name == "all" {
				line("    - path: /dev/nvidia%s\n      hostPath: /dev/null", number)
			}
		}
	}
	line("containerEdits:\n  env:\n  - NVIDIA_VISIBLE_DEVICES=void\n  deviceNodes:\n  - path: /dev/nvidiactl\n    hostPath: /dev/null\n  hooks:")
	const libraries = "/usr/lib/x86_64-linux-gnu/"
	call("  ", "create-symlinks", "--link", "libcuda.so.535.1::"+libraries+"libcuda.so.1", "--link", "libcuda.so.1::"+libraries+"libcuda.so")
	call("  ", "update-ldcache", "--directory", libraries)
	line("  mounts:\n  - hostPath: %s\n    containerPath: %slibcuda.so.535.1\n    options: [ro, nosuid, nodev, bind]", m.path("libcuda.so.535.1"), libraries)

	specs := m.path("specs")
	if err := os.RemoveAll(specs); err != nil {
		m.t.Fatal(err)
	}
	if err := os.Mkdir(specs, 0o755); err != nil {
		m.t.Fatal(err)
	}
	if len(names) > 0 {
		e2etest.Write(m.t, filepath.Join(specs, "nvidia.yaml"), []byte(text.String()))
	}
}

// hooks returns the hooks' commands that ran for containers since the last call.
func (m machine) hooks() string {
	m.t.Helper()
	data, err := os.ReadFile(m.path("hooks"))
	if err == nil {
		err = os.Remove(m.path("hooks"))
	}
	if err != nil && !os.IsNotExist(err) {
		m.t.Fatal(err)
	}
	return strings.Join(strings.Fields(string(data)), " ")
}
