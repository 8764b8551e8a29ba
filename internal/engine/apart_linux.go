package engine

import "syscall"

// apart has a program be the first of a pid namespace: the kernel ends everything that it
// has started with it, and it with us, even where we are killed. A Ctrl-C is for us to
// pass on.
func apart() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Cloneflags: syscall.CLONE_NEWPID, Pdeathsig: syscall.SIGKILL}
}
