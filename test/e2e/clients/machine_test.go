package clients

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lamina.build/internal/test/e2etest"
)

// machine is a Debian 12 with the daemons of containerd and docker, in its own namespaces
// except for the network. It sees the user's directory, and its clients are in the host's
// PATH.
type machine struct {
	*e2etest.User

	path string
	id   string // of the image that was built
}

const debian = `name = "debian"
[debian]
packages = ["ca-certificates", "containerd", "docker.io", "podman", "runc", "skopeo"]
`

// boot is PID 1. Containers and images are in memory, so that they are gone with the machine.
const boot = `
mount --bind "$1" "$1"
cd "$1"
mount -t proc proc proc
mount --rbind /sys sys
mount --rbind /dev dev
mount -t tmpfs tmpfs run
for d in containers containerd docker; do mkdir -p var/lib/$d; mount -t tmpfs tmpfs var/lib/$d; done
mkdir -p ".$2"
mount --bind "$2" ".$2"
chroot . /usr/bin/containerd &
until [ -S run/containerd/containerd.sock ]; do sleep 0.1; done
chroot . /usr/sbin/dockerd --containerd=/run/containerd/containerd.sock --iptables=false --ip6tables=false --bridge=none &
wait
`

func start(t *testing.T) *machine {
	t.Helper()
	m := &machine{User: e2etest.NewUser(t)}
	spec, root, bin := t.TempDir(), filepath.Join(t.TempDir(), "root"), t.TempDir()
	e2etest.Write(t, filepath.Join(spec, "image.toml"), []byte(debian))
	m.Build(t, spec, "--smoke", "off", "-o", root)
	log, err := os.Create(filepath.Join(spec, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.CommandContext(t.Context(), "unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-ec", boot, "sh", root, m.Dir)
	cmd.Stdout, cmd.Stderr = log, log
	if err = cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // its mounts end with it
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for _, client := range []string{"ctr", "docker", "podman", "skopeo"} {
		enter := fmt.Sprintf(`#!/bin/sh
init=$(cat /proc/%d/task/*/children)
exec nsenter --target ${init%% } --mount --pid -- env -i HOME=/root PATH=/usr/sbin:/usr/bin chroot %s sh -c 'cd "$0" && exec "$@"' "$PWD" %s "$@"
`, cmd.Process.Pid, root, client)
		name := filepath.Join(bin, client)
		e2etest.Write(t, name, []byte(enter))
		if err = os.Chmod(name, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	m.path = bin + ":" + os.Getenv("PATH")
	for limit := time.Now().Add(2 * time.Minute); ; time.Sleep(time.Second / 10) {
		out, err := m.shell(t, "ctr version && docker version")
		if err == nil {
			return m
		}
		if time.Now().After(limit) {
			text, _ := os.ReadFile(log.Name())
			t.Fatalf("the daemons don't start: %v\n%s\n%s", err, out, e2etest.Tail(string(text)))
		}
	}
}

// shell runs a line as the user would, with the clients in PATH.
func (m *machine) shell(t *testing.T, line string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-c", line)
	cmd.Dir, cmd.Env = m.Dir, append(os.Environ(), "PATH="+m.path, "XDG_CACHE_HOME="+m.Cache, "BUILDKIT_HOST="+m.Addr)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (m *machine) must(t *testing.T, line string) string {
	t.Helper()
	out, err := m.shell(t, line)
	if err != nil {
		t.Errorf("%s: %v\n%s", line, err, e2etest.Tail(out))
	}
	return strings.TrimSpace(out)
}

// forget removes all images that clients have.
func (m *machine) forget(t *testing.T) {
	t.Helper()
	m.must(t, `podman rmi --all --force
for i in $(docker images --quiet --no-trunc | sort -u); do docker rmi --force $i; done
for i in $(ctr image ls -q); do ctr image rm --sync $i; done`)
}
