//go:build linux

package main

import (
	"errors"
	"fmt"
	"log"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

const (
	pollEvery  = 100 * time.Millisecond
	grace      = 10 * time.Second // for buildkitd to end by itself
	forceGrace = 3 * time.Second  // the same if running builds are aborted
	freeWithin = 20 * time.Second // for a killed predecessor to be gone
)

// exitError carries the exit code of init, or of an earlier failure, to the caller of supervise.
type exitError struct {
	code int
	why  error // nil if init has reported it
}

func (e *exitError) Error() string {
	if e.why != nil {
		return e.why.Error()
	}
	return fmt.Sprintf("buildkitd ended by itself: exit status %d", e.code)
}

// supervise runs the engine until the last lease is gone. The file "alive"
// stays locked as long as this process lives.
func supervise(c config, output *os.File, logger *log.Logger) error {
	// Linux sends the parent-death signal when the thread that forked ends.
	runtime.LockOSThread()
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	signal.Ignore(syscall.SIGHUP, syscall.SIGPIPE)

	alive, err := takeLock(c.path("alive"))
	if err != nil {
		return err
	}
	defer alive.Close()
	// First: it forgets a request to end that was for a predecessor.
	l, err := openLease(c)
	if err != nil {
		return err
	}
	defer l.file.Close()
	if err = prepare(c); err != nil {
		return err
	}

	// Builds have no limits in a container that may not divide its control group, and for an
	// ordinary user, who has none.
	if c.rootless() {
		logger.Print("builds have no limits: control groups are root's")
	} else {
		for _, problem := range limitBuilds(cgroups, c.group()) {
			logger.Print(problem)
		}
	}
	defer l.clean(c)
	if err = divide(c); err != nil {
		return err
	}
	child, err := startInit(c, output)
	if err != nil {
		return err
	}
	exited := make(chan error, 1)
	go func() { exited <- child.Wait() }()
	if err = writeStatus(c, child.Process.Pid); err != nil {
		logger.Print(err)
	}
	return watch(l, child.Process, exited, signals, logger)
}

// startInit starts this same program again, in its namespaces.
func startInit(c config, output *os.File) (*exec.Cmd, error) {
	role := roleInit
	if c.rootless() {
		role = roleEnter
	}
	//nolint:gosec // this very program
	child := exec.Command("/proc/self/exe", append([]string{role}, c.flags...)...)
	child.Stdout, child.Stderr = output, output
	child.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS,
		Pdeathsig:  syscall.SIGKILL,
	}
	if c.rootless() {
		return child, startMapped(c, child)
	}
	if err := child.Start(); err != nil {
		return nil, fmt.Errorf("starting buildkitd in its namespaces: %w", err)
	}
	return child, nil
}

// cgroups is where Linux distributions mount control groups.
const cgroups = "/sys/fs/cgroup"

// removeAll cleans up. Whatever is already gone or in use again is left alone.
func removeAll(paths ...string) {
	for _, path := range paths {
		_ = os.Remove(path) //nolint:gosec // the client names the directories
	}
}

// watch waits for the first reason to end: buildkitd is gone, a signal arrives, or nobody
// needs the engine any more.
func watch(l lease, child *os.Process, exited <-chan error, signals <-chan os.Signal, logger *log.Logger) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		select {
		case err := <-exited:
			return ended(err)
		case got := <-signals:
			logger.Printf("stopping on %s", got)
			return stop(child, exited, grace)
		case <-tick.C:
			switch l.verdict() {
			case leased:
			case unused:
				logger.Print("stopping, the last build is done")
				return stop(child, exited, grace)
			case dropped:
				logger.Print("stopping, builds are dropped")
				return stop(child, exited, forceGrace)
			}
		}
	}
}

func ended(err error) error {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return &exitError{code: max(exit.ExitCode(), exitFailure)}
	}
	if err != nil {
		return fmt.Errorf("waiting for buildkitd: %w", err)
	}
	return &exitError{code: exitFailure}
}

// stop ends the child, whose exit status is then meaningless.
func stop(child *os.Process, exited <-chan error, timeout time.Duration) error {
	if err := child.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stopping buildkitd: %w", err)
	}
	select {
	case <-exited: //nolint:errcheck // see above
		return nil
	case <-time.After(timeout):
	}
	if err := child.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("killing buildkitd: %w", err)
	}
	<-exited //nolint:errcheck // see above
	return nil
}

// prepare makes the directories, and waits until a killed predecessor has released the
// root: only one buildkitd can own it.
func prepare(c config) error {
	for _, dir := range []string{c.root, filepath.Dir(c.socket)} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("making directory %q: %w", dir, err)
		}
	}
	owner, err := takeLock(filepath.Join(c.root, "buildkitd.lock"))
	if err != nil {
		return fmt.Errorf("waiting for another buildkitd to release %q: %w", c.root, err)
	}
	if err = owner.Close(); err != nil {
		return fmt.Errorf("releasing %q: %w", owner.Name(), err)
	}
	if err = os.RemoveAll(c.temp()); err != nil { //nolint:gosec // the client names the directory
		return fmt.Errorf("emptying %q: %w", c.temp(), err)
	}
	if err = os.Mkdir(c.temp(), 0o700); err != nil { //nolint:gosec // the client names the directory
		return fmt.Errorf("making directory %q: %w", c.temp(), err)
	}
	return nil
}
