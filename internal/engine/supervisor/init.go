//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
)

// initMain is pid 1 of the namespaces. It stays instead of becoming buildkitd:
// pid 1 must reap the orphans of runc, and ignores the signals that it has no
// handler for.
func initMain(c config, output *os.File) (int, error) {
	if err := errors.Join(dieWithParent(), privateMounts(c)); err != nil {
		if c.rootless() {
			return exitNoNamespace, err
		}
		return exitFailure, err
	}
	arguments := c.arguments()
	if err := overlayWorks(c); err != nil {
		err = fmt.Errorf("overlayfs does not work in %q: %w", c.root, err)
		if !c.rootless() {
			return exitNoOverlay, err
		}
		// Before Linux 5.11 users can't mount it: use fuse-overlayfs, or else copies.
		fmt.Fprintln(output, "engine:", err)
		arguments = append(arguments, "--oci-worker-snapshotter", "auto")
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)

	//nolint:gosec // the client names the programs
	daemon := exec.Command(c.buildkitd, arguments...)
	daemon.Stdout, daemon.Stderr = output, output
	daemon.Env = append(daemon.Environ(), "TMPDIR="+c.shortTemp(), "XDG_RUNTIME_DIR="+c.runtimeDir())
	if err := daemon.Start(); err != nil {
		return exitFailure, fmt.Errorf("starting buildkitd: %w", err)
	}
	go func() {
		for range signals {
			// reap notices if the process is gone already.
			_ = syscall.Kill(daemon.Process.Pid, syscall.SIGTERM)
		}
	}()
	return reap(daemon.Process.Pid)
}

func (c config) arguments() []string {
	return []string{
		"--config", c.divided(), "--root", c.root, "--addr", "unix://" + c.socket,
		"--oci-worker-binary", c.oci,
		"--otel-socket-path", c.traces(),
	}
}

// reap waits for every child until the daemon itself ends, and returns the daemon's exit code.
func reap(daemon int) (int, error) {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return exitFailure, fmt.Errorf("waiting for buildkitd: %w", err)
		case pid == daemon && status.Signaled():
			return exitFailure, fmt.Errorf("buildkitd was killed: %s", status.Signal())
		case pid == daemon:
			return status.ExitStatus(), nil
		}
	}
}

// privateMounts isolates the mount namespace: mounts made here are invisible outside,
// while what the system unmounts disappears here, too. /proc shows the pid namespace,
// and runc's state is on a tmpfs that ends with us.
func privateMounts(c config) error {
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_SLAVE, ""); err != nil {
		return fmt.Errorf("isolating the mount namespace: %w", err)
	}
	const bare = syscall.MS_NOSUID | syscall.MS_NODEV | syscall.MS_NOEXEC
	if err := syscall.Mount("proc", "/proc", "proc", bare, ""); err != nil {
		return fmt.Errorf("mounting /proc: %w", err)
	}
	containers := filepath.Join(c.runtimeDir(), filepath.Base(c.oci))
	if err := os.MkdirAll(containers, 0o700); err != nil { //nolint:gosec // the client names the directories
		return fmt.Errorf("making directory %q: %w", containers, err)
	}
	if err := syscall.Mount("tmpfs", containers, "tmpfs", bare, "mode=0700"); err != nil {
		return fmt.Errorf("mounting %q: %w", containers, err)
	}
	short := c.shortTemp()
	if short == c.temp() {
		return nil
	}
	if err := os.Mkdir(short, 0o700); err != nil && !errors.Is(err, os.ErrExist) { //nolint:gosec // the client names the directories
		return fmt.Errorf("making directory %q: %w", short, err)
	}
	if err := syscall.Mount(c.temp(), short, "", syscall.MS_BIND|syscall.MS_REC, ""); err != nil {
		return fmt.Errorf("mounting %q: %w", short, err)
	}
	return nil
}

// overlayWorks tries an overlay mount in the engine's root. buildkitd would report the
// failure only in the middle of a build.
func overlayWorks(c config) (err error) {
	dir, err := os.MkdirTemp(c.root, "overlay-")
	if err != nil {
		return fmt.Errorf("making a directory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	for _, name := range []string{"lower", "upper", "work", "merged"} {
		if err = os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			return fmt.Errorf("making a directory: %w", err)
		}
	}
	merged := filepath.Join(dir, "merged")
	options := fmt.Sprintf("lowerdir=%[1]s/lower,upperdir=%[1]s/upper,workdir=%[1]s/work", dir)
	if c.rootless() {
		options += ",userxattr" // trusted.* is root's
	}
	if err = syscall.Mount("overlay", merged, "overlay", 0, options); err != nil {
		return fmt.Errorf("mounting: %w", err)
	}
	if err = syscall.Unmount(merged, 0); err != nil {
		return fmt.Errorf("unmounting: %w", err)
	}
	return nil
}
