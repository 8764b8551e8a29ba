package debian

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"lamina.build/internal/engine"
	"lamina.build/internal/test/e2etest"
	"lamina.build/internal/test/testworld"
)

// A script that exhausts a resource ends only its own build, with its package named. An
// engine that is killed while dpkg works is a transient problem. The previous image stays
// unchanged, and the engine's root works for the next build.
func TestRealScriptsThatTakeAll(t *testing.T) {
	longer(t)
	t.Parallel()
	cache := e2etest.ShortDir(t)
	root := filepath.Join(cache, "lamina", "engine")
	if err := os.MkdirAll(root, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", root, "tmpfs", 0, "size=2g"); err != nil {
		t.Skipf("mounting is not permitted here: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(root, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	u, state := e2etest.Alone(t, cache)
	w := world{u, testworld.New(t).Debian(
		testworld.DebianOptions{Path: "own", Flat: true},
		testworld.Deb{Name: "plain"},
		testworld.Deb{Name: "fills", Postinst: sh + "dd if=/dev/zero of=/opt/big bs=1M || :\n"},
		testworld.Deb{Name: "forks", Postinst: sh + "while :; do sleep 1000 & done\n"},
		testworld.Deb{Name: "eats", Postinst: sh + "tail /dev/zero\n"},
		testworld.Deb{Name: "slow", Postinst: sh + "sleep 15\n"},
	)}
	dir := w.project(t, "", "[variant.fills]\nextra-packages = [\"fills\"]\n[variant.forks]\nextra-packages = [\"forks\"]\n[variant.eats]\nextra-packages = [\"eats\"]\n"+
		"[variant.slow]\nextra-packages = [\"slow\"]\n", "plain")
	w.Build(t, "engine", "start")
	w.Build(t, dir, "--smoke", "off")
	before := w.Digest(t)
	fails := func(variant, says, hint string) {
		t.Helper()
		w.Fails(t, 1, []string{"build: error: " + variant + ": install 1 packages: exit code: ", says, "build: hint: " + hint}, dir, "--variant", variant, "--smoke", "off", "--progress", "quiet")
		index, err := os.ReadFile(filepath.Join(w.Dir, "dist", "faceblend", "index.json"))
		if err != nil || strings.Contains(string(index), variant) || w.Digest(t) != before {
			t.Errorf("%s: the layout changed (%v):\n%s", variant, err, index)
		}
		w.Build(t, dir, "--smoke", "off")
	}
	fails("fills", "while fills was installed", "the engine's disk is full")

	run := w.Start(t, dir, "--variant", "slow", "--smoke", "off", "--progress", "plain")
	run.Until("Setting up slow")
	var s engine.Status
	if err := json.Unmarshal([]byte(w.Build(t, "engine", "status", "--json").Stdout), &s); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(s.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	run.Ends(75)
	w.Build(t, dir, "--variant", "slow", "--smoke", "off")

	w.Build(t, "engine", "start")
	// The limits depend on the machine: lower them for the test.
	group := fmt.Sprintf("lamina-%x", sha256.Sum256([]byte(filepath.Join(state, "root"))))[:len("lamina-")+8]
	pids, memory := filepath.Join("pids", group, "pids.max"), filepath.Join("memory", group, "memory.limit_in_bytes")
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); err == nil {
		pids, memory = filepath.Join(group, "pids.max"), filepath.Join(group, "memory.max")
	}
	limit := func(file, value string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join("/sys/fs/cgroup", file), []byte(value), 0o600); err != nil {
			t.Skipf("limiting control groups is not permitted here: %v", err)
		}
	}
	limit(pids, "200")
	fails("forks", "forks: its post-installation script ended with exit status 2", "all steps together may start a limited number of processes")
	limit(memory, "2000000000") // the engine's disk is memory, too
	fails("eats", "eats: its post-installation script ended with exit status 137", "all steps together may use 90 % of the machine's memory")
}
