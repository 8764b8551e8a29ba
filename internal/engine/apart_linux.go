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
	return &syscall.SysProcAttr{Setpgid: true, Cloneflags: syscall.CLONE_NEWPID, Pdeathsig: syscall.SIGKILL}
}

// allocate gives a file its size, in blocks of its own.
func allocate(f *os.File, size int64) error { return unix.Fallocate(int(f.Fd()), 0, 0, size) }
