//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// verdict is what follows from the leases and from what the user asked for.
type verdict int

const (
	leased  verdict = iota // a build is running, or the engine is kept up
	unused                 // neither
	dropped                // the engine ends even if builds are running
)

// lease watches the file on which every client holds a shared lock. The kernel
// drops the lock of a client that is killed.
type lease struct {
	file *os.File
	keep string // while it exists the engine outlives its last client
	stop string // as soon as it exists the engine ends
}

func openLease(c config) (lease, error) {
	l := lease{keep: c.path("keep"), stop: c.path("stop")}
	//nolint:gosec // the client names the directory
	file, err := os.OpenFile(c.path("lease"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return l, fmt.Errorf("opening the lease: %w", err)
	}
	l.file = file
	if err = os.Remove(l.stop); err != nil && !errors.Is(err, os.ErrNotExist) {
		return l, errors.Join(fmt.Errorf("removing %q: %w", l.stop, err), file.Close())
	}
	return l, nil
}

// verdict keeps the exclusive lock when it returns unused, so that a client that
// arrives while the engine stops waits for the end and then starts another.
func (l lease) verdict() verdict {
	if exists(l.stop) || l.replaced() {
		return dropped
	}
	if !tryLock(l.file) {
		return leased
	}
	if !exists(l.keep) {
		return unused
	}
	// The next round retries after an error.
	_ = syscall.Flock(int(l.file.Fd()), syscall.LOCK_UN)
	return leased
}

// replaced is true when the directory was removed under us: the locks of new
// clients are then on another file.
func (l lease) replaced() bool {
	here, err := os.Stat(l.file.Name())
	if err != nil {
		return errors.Is(err, os.ErrNotExist)
	}
	mine, err := l.file.Stat()
	return err == nil && !os.SameFile(here, mine)
}

// clean removes what only a running engine has, unless a successor has it by now.
func (l lease) clean(c config) {
	if l.replaced() && exists(l.file.Name()) {
		return
	}
	removeAll(append(c.groups(cgroups), c.path("engine.json"), c.socket, c.traces(), c.shortTemp(), filepath.Dir(c.socket))...)
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func tryLock(file *os.File) bool {
	return syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
}

// takeLock takes the exclusive lock of a file, creating the file if necessary. A killed
// predecessor holds it a moment longer.
func takeLock(path string) (*os.File, error) {
	//nolint:gosec // the client names the directory
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening lock file: %w", err)
	}
	for deadline := time.Now().Add(freeWithin); !tryLock(file); time.Sleep(pollEvery / 4) {
		if time.Now().After(deadline) {
			return nil, errors.Join(fmt.Errorf("%q stayed locked for %s", path, freeWithin), file.Close())
		}
	}
	return file, nil
}

// status is what `engine status` reads. Package engine has the same type.
type status struct {
	PID     int       `json:"pid"`
	InitPID int       `json:"initPid"`
	Version string    `json:"version"`
	Address string    `json:"address"`
	Root    string    `json:"root"`
	Started time.Time `json:"started"`
}

func writeStatus(c config, initPID int) error {
	data, err := json.Marshal(status{
		PID: os.Getpid(), InitPID: initPID, Version: c.version,
		Address: "unix://" + c.socket, Root: c.root, Started: time.Now().UTC().Truncate(time.Second),
	})
	if err != nil {
		return fmt.Errorf("writing the status: %w", err)
	}
	path := c.path("engine.json")
	//nolint:gosec // the client names the directory
	if err = os.WriteFile(path+".tmp", data, 0o600); err != nil {
		return fmt.Errorf("writing the status: %w", err)
	}
	//nolint:gosec // the client names the directory
	if err = os.Rename(path+".tmp", path); err != nil {
		return fmt.Errorf("writing the status: %w", err)
	}
	return nil
}
