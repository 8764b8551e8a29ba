//go:build linux

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

// mapped is the file descriptor that tells a child in a user namespace that its users are mapped.
const mapped = 3

// startMapped starts a child in a user namespace, and runs newuidmap and newgidmap to map its
// users: only root may map more than one, so they are setuid.
func startMapped(c config, child *exec.Cmd) error {
	told, tell, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("making a pipe: %w", err)
	}
	defer told.Close()
	defer tell.Close()
	child.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
	child.ExtraFiles = []*os.File{told}
	if err = child.Start(); err != nil {
		return &exitError{exitNoNamespace, fmt.Errorf("making a user namespace: %w", err)}
	}
	for _, m := range [][2]string{{c.newuidmap, c.uids}, {c.newgidmap, c.gids}} {
		args := append([]string{strconv.Itoa(child.Process.Pid)}, strings.Fields(m[1])...)
		out, bad := exec.Command(m[0], args...).CombinedOutput() //nolint:gosec // the client names the programs
		if bad != nil {
			_ = child.Process.Kill() // it waits on the pipe
			_ = child.Wait()
			return &exitError{exitNoNamespace, fmt.Errorf("%s %s: %w: %s", m[0], strings.Join(args, " "), bad, out)}
		}
	}
	_, err = tell.Write([]byte{0})
	return err
}

// enter waits for the mapping. A program that the namespace's root starts after it has all
// capabilities there.
func enter(c config) error {
	told := os.NewFile(mapped, "pipe")
	if n, err := told.Read(make([]byte, 1)); n == 0 {
		return fmt.Errorf("waiting for the users of the namespace: %w", err)
	}
	if err := told.Close(); err != nil {
		return err
	}
	return syscall.Exec("/proc/self/exe", append([]string{os.Args[0], roleInit}, c.flags...), os.Environ()) //nolint:forbidigo,gosec // this very program
}

// dieWithParent asks the kernel again to end this process with the supervisor: it forgets
// that when a program gains capabilities. The thread must not end earlier.
func dieWithParent() error {
	runtime.LockOSThread()
	if _, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_SET_PDEATHSIG, uintptr(syscall.SIGKILL), 0); errno != 0 {
		return fmt.Errorf("asking for the parent-death signal: %w", errno)
	}
	return nil
}

// runtimeDir is where runc keeps the state of its containers.
func (c config) runtimeDir() string {
	if c.rootless() {
		return filepath.Join(c.temp(), "run")
	}
	return "/run"
}
