package engine

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// apart makes a program pid 1 of a pid namespace: the kernel ends everything that it starts
// together with it, and it together with us, even if we are killed. Its process group
// gets no Ctrl-C unless we pass it on.
func apart() *syscall.SysProcAttr {
	how := &syscall.SysProcAttr{Setpgid: true, Cloneflags: syscall.CLONE_NEWPID, Pdeathsig: syscall.SIGKILL}
	if uid, gid := os.Geteuid(), os.Getegid(); uid != 0 { // this needs a user namespace for anybody but root
		how.Cloneflags |= syscall.CLONE_NEWUSER
		how.UidMappings = []syscall.SysProcIDMap{{ContainerID: uid, HostID: uid, Size: 1}}
		how.GidMappings = []syscall.SysProcIDMap{{ContainerID: gid, HostID: gid, Size: 1}}
	}
	return how
}

// allocate gives a file its size, with real blocks.
func allocate(f *os.File, size int64) error { return unix.Fallocate(int(f.Fd()), 0, 0, size) }
