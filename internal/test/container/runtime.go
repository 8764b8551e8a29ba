package container

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// The part of the runtime specification (opencontainers/runtime-spec v1.0) that a container
// under test needs.
type (
	runtimeSpec struct {
		Version string  `json:"ociVersion"`
		Process process `json:"process"`
		Root    root    `json:"root"`
		Mounts  []mount `json:"mounts"`
		Linux   linux   `json:"linux"`
	}
	process struct {
		User            user     `json:"user"`
		Dir             string   `json:"cwd"`
		Env             []string `json:"env"`
		Args            []string `json:"args"`
		NoNewPrivileges bool     `json:"noNewPrivileges"`
		Capabilities    *rights  `json:"capabilities,omitempty"`
	}
	rights struct {
		Bounding  []string `json:"bounding"`
		Effective []string `json:"effective"`
		Permitted []string `json:"permitted"`
	}
	user struct {
		UID int `json:"uid"`
		GID int `json:"gid"`
	}
	root struct {
		Path string `json:"path"`
	}
	mount struct {
		Destination string   `json:"destination"`
		Type        string   `json:"type"`
		Source      string   `json:"source"`
		Options     []string `json:"options,omitempty"`
	}
	linux struct {
		Namespaces []namespace `json:"namespaces"`
	}
	namespace struct {
		Type string `json:"type"`
	}
)

// runtime returns the configuration for runc. Without a network namespace the container has the
// host's network; it has no capabilities, or Docker's if it runs as root.
func (m *Machine) runtime(env, args []string) runtimeSpec {
	spec := runtimeSpec{
		Version: "1.0.2",
		Process: process{
			User: userOf(m.config.User), Dir: cmp.Or(m.config.WorkingDir, "/"), Env: slices.Concat(m.config.Env, env), Args: args, NoNewPrivileges: true,
		},
		Root: root{Path: m.Root},
		Mounts: []mount{
			{"/proc", "proc", "proc", nil},
			{"/dev", "tmpfs", "tmpfs", []string{"nosuid", "strictatime", "mode=755"}},
			{"/dev/shm", "tmpfs", "tmpfs", []string{"nosuid", "nodev", "noexec", "mode=1777"}},
		},
		Linux: linux{Namespaces: []namespace{{"pid"}, {"mount"}, {"ipc"}, {"uts"}}},
	}
	if m.config.User == "" {
		usual := []string{
			"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_MKNOD", "CAP_NET_BIND_SERVICE", "CAP_NET_RAW",
			"CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT", "CAP_AUDIT_WRITE",
		}
		spec.Process.Capabilities = &rights{usual, usual, usual}
	}
	return spec
}

// userOf parses "10001:10001", the form in which our images name their user.
func userOf(text string) user {
	uid, gid, _ := strings.Cut(text, ":")
	var u user
	u.UID, _ = strconv.Atoi(uid) // root if there is none
	u.GID, _ = strconv.Atoi(gid)
	return u
}
