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

	path string // with the clients as they are used now
	root string // with those of root
	user string // with podman and skopeo of an ordinary user
	id   string // of the image that was built
}

const debian = `name = "debian"
[debian]
packages = ["ca-certificates", "containerd", "docker.io", "podman", "runc", "skopeo", "uidmap"]
`

// boot is PID 1. Containers and images are in memory, so that they are gone with the machine.
// Its root isn't a chroot, in which nobody may make a user namespace.
const boot = `
mount --bind "$1" "$1"
cd "$1"
mount -t proc proc proc
mount --rbind /sys sys
mount --rbind /dev dev
mount -t tmpfs tmpfs run
for d in lib/containers lib/containerd lib/docker tmp; do mkdir -p var/$d; mount -t tmpfs tmpfs var/$d; done
chmod 1777 var/tmp
mkdir -p ".$2" home/plain run/user/1000
mount --bind "$2" ".$2"
mount -t tmpfs tmpfs home/plain
chown 1000:1000 home/plain run/user/1000
chmod 700 run/user/1000
echo plain:x:1000:1000::/home/plain:/bin/sh >>etc/passwd
echo plain:x:1000: >>etc/group
echo plain:100000:65536 | tee etc/subuid >etc/subgid
pivot_root . mnt
cd / # what was the root stays in /mnt
export PATH=/usr/sbin:/usr/bin
containerd &
until [ -S run/containerd/containerd.sock ]; do sleep 0.1; done
dockerd --containerd=/run/containerd/containerd.sock --iptables=false --ip6tables=false --bridge=none &
wait
`

func start(t *testing.T) *machine {
	t.Helper()
	m := &machine{User: e2etest.NewUser(t)}
	spec, root, bin, plain := t.TempDir(), filepath.Join(t.TempDir(), "root"), t.TempDir(), t.TempDir()
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
	enter := func(bin, client, as string) {
		t.Helper()
		name := filepath.Join(bin, client)
		e2etest.Write(t, name, fmt.Appendf(nil, `#!/bin/sh
init=$(cat /proc/%d/task/*/children)
exec nsenter --target ${init%% } --mount --pid -- env -i PATH=/usr/sbin:/usr/bin %s sh -c 'cd "$0" && exec "$@"' "$PWD" %s "$@"
`, cmd.Process.Pid, as, client))
		if err = os.Chmod(name, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, client := range []string{"ctr", "docker", "podman", "skopeo"} {
		enter(bin, client, "HOME=/root")
	}
	for _, client := range []string{"podman", "skopeo"} {
		enter(plain, client, "HOME=/home/plain XDG_RUNTIME_DIR=/run/user/1000 setpriv --reuid 1000 --regid 1000 --clear-groups")
	}
	m.root = bin + ":" + os.Getenv("PATH")
	m.user, m.path = plain+":"+m.root, m.root
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
