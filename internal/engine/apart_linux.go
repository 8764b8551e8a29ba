package engine

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// apart has a program be the first of a pid namespace: the kernel ends everything that it
// has started with it, and it with us, even where we are killed. A Ctrl-C is for us to
// pass on.
func apart() *syscall.SysProcAttr {
	how := &syscall.SysProcAttr{Setpgid: true, Cloneflags: syscall.CLONE_NEWPID, Pdeathsig: syscall.SIGKILL}
	if uid, gid := os.Geteuid(), os.Getegid(); uid != 0 { // who is not root needs a user namespace for it
		how.Cloneflags |= syscall.CLONE_NEWUSER
		how.UidMappings = []syscall.SysProcIDMap{{ContainerID: uid, HostID: uid, Size: 1}}
		how.GidMappings = []syscall.SysProcIDMap{{ContainerID: gid, HostID: gid, Size: 1}}
	}
	return how
}

// allocate gives a file its size, in blocks of its own.
func allocate(f *os.File, size int64) error { return unix.Fallocate(int(f.Fd()), 0, 0, size) }
