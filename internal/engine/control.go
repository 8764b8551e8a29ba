package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"lamina.build/internal/atomicfile"
	"lamina.build/internal/failure"
)

// ErrInUse is returned by [Stop] while builds are running.
var ErrInUse = errors.New("builds are running on the engine")

// Start starts the private engine and keeps it up: it no longer ends with its last build.
func Start(ctx context.Context, o Options) (Status, error) {
	o = o.withDefaults()
	e, err := openPrivate(ctx, o)
	if err != nil {
		return Status{}, err
	}
	// Only now: an engine that cannot start is not kept.
	err = state{dir: o.StateDir}.write(keepFile, nil)
	if err = errors.Join(err, e.Close()); err != nil {
		return Status{}, err
	}
	return StatusOf(o)
}

// Stop ends the private engine and returns when it is gone; ended is false if there was
// none. It waits for one that was ending already or whose supervisor was killed. While
// builds are running, Stop returns [ErrInUse] and the engine ends with the last of them,
// unless force is set.
func Stop(ctx context.Context, o Options, force bool) (ended bool, err error) {
	s := state{dir: o.withDefaults().StateDir}
	if err = os.Remove(s.path(keepFile)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return false, fmt.Errorf("stopping the engine: %w", err)
	}
	if err = s.askToEnd(force); err != nil {
		return false, err
	}
	for ; ; ended = true {
		there, err := s.there()
		if err != nil || !there {
			return ended, err
		}
		if err = failure.Pause(ctx, pollEvery); err != nil {
			return false, fmt.Errorf("waiting for the engine to end: %w", err)
		}
	}
}

// askToEnd asks the supervisor, if there is one, to end. If no build is running, the
// supervisor notices by itself.
func (s state) askToEnd(force bool) error {
	if alive, err := s.alive(); err != nil || !alive {
		return err
	}
	if force {
		return s.write(stopFile, nil)
	}
	clients, err := s.clients()
	if err != nil || clients == 0 {
		return err
	}
	return failure.WithHint(fmt.Errorf("%w: %d of them", ErrInUse, clients),
		"it ends by itself after the last one; --force aborts them")
}

// there reports whether any of the engine is left: its supervisor, or a buildkitd that
// outlives a killed one for a moment. It asks the kernel, which disturbs nobody; trying
// buildkitd's own lock might keep a starting one from getting it.
func (s state) there() (bool, error) {
	alive, err := s.alive()
	if err != nil || alive {
		return alive, err
	}
	owners, err := locks(s.path(filepath.Join(rootDir, "buildkitd.lock")), "WRITE")
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return owners > 0, err
}

// Status is the status of the private engine.
type Status struct {
	Running bool      `json:"running"`
	Kept    bool      `json:"kept"`    // outlives its last build
	Clients int       `json:"clients"` // processes holding a lease
	PID     int       `json:"pid,omitempty"`
	Version string    `json:"version,omitempty"`
	Address string    `json:"address,omitempty"`
	Started time.Time `json:"started,omitzero"`
	Root    string    `json:"root"`
	Log     string    `json:"log"`
	Disk    int64     `json:"disk"` // bytes below Root
	Free    int64     `json:"free"` // bytes free on its disk
	Instead []Instead `json:"instead,omitempty"`
}

// Instead is an engine that builds use instead of the private one, because an address or a
// variable names it.
type Instead struct {
	Address string `json:"address"`
	Version string `json:"version,omitempty"`
	Problem string `json:"problem,omitempty"` // why it is unusable
}

// Others returns the status of the engines that are used instead of the private one.
func Others(ctx context.Context, o Options) ([]Instead, error) {
	o = o.withDefaults()
	list, err := o.Where.addresses(o.Env, "")
	all := make([]Instead, 0, len(list))
	for _, a := range list {
		one := Instead{Address: a.url}
		e, r, problem := connect(ctx, Given, a, Need{})
		if one.Version = r.version; problem != nil {
			one.Problem = oneLine(problem)
		} else {
			_ = e.Close() // nothing else is asked of it
		}
		all = append(all, one)
	}
	return all, err
}

// StatusOf returns the status of the private engine without starting it.
func StatusOf(o Options) (Status, error) {
	s := state{dir: o.withDefaults().StateDir}
	st := Status{Root: s.path(rootDir), Log: s.path(logFile)}
	alive, err := s.alive()
	if err != nil {
		return st, err
	}
	if _, err = os.Lstat(s.path(keepFile)); err == nil {
		st.Kept = true
	}
	if alive {
		if err = st.fill(s); err != nil {
			return st, err
		}
	}
	if _, err = os.Stat(st.Root); errors.Is(err, os.ErrNotExist) {
		return st, nil
	}
	if st.Disk, err = diskUsed(st.Root); err != nil {
		return st, err
	}
	st.Free, err = atomicfile.Free(st.Root)
	return st, err
}

// fill sets the fields that only a running engine has.
func (st *Status) fill(s state) error {
	r, err := s.record()
	if err != nil {
		return err
	}
	st.Running, st.PID, st.Version, st.Address, st.Started = true, r.PID, r.Version, r.Address, r.Started
	st.Clients, err = s.clients()
	return err
}

// clients counts the shared locks on the lease.
func (s state) clients() (int, error) { return locks(s.path(leaseFile), "READ") }

// locks counts the locks on a file in the kernel's own list.
func locks(path, kind string) (int, error) {
	var file syscall.Stat_t
	if err := syscall.Stat(path, &file); err != nil {
		return 0, fmt.Errorf("looking for locks on %q: %w", path, err)
	}
	list, err := os.ReadFile("/proc/locks")
	if err != nil {
		return 0, fmt.Errorf("reading the kernel's locks: %w", err)
	}
	return countLocks(string(list), kind, file.Ino), nil
}

// countLocks counts lines such as "1: FLOCK  ADVISORY  READ 4711 fe:00:1234 0 EOF".
// It doesn't compare the device: on btrfs stat reports a different one.
func countLocks(locks, kind string, inode uint64) int {
	count, suffix := 0, fmt.Sprintf(":%d", inode)
	for line := range strings.Lines(locks) {
		f := strings.Fields(line)
		if len(f) >= 6 && f[1] == "FLOCK" && f[3] == kind && strings.HasSuffix(f[5], suffix) {
			count++
		}
	}
	return count
}

// diskUsed returns the disk space of a directory, counting each hard-linked file once. A
// running engine may remove files at the same time, and an ordinary user's has directories
// that the user may not enter: those of an image's other users, and overlayfs's own.
func diskUsed(dir string) (int64, error) {
	var total int64
	seen := map[uint64]bool{}
	err := filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		var info fs.FileInfo
		if err == nil {
			info, err = entry.Info()
		}
		if err != nil {
			if errors.Is(err, os.ErrNotExist) || errors.Is(err, os.ErrPermission) {
				return nil
			}
			return err
		}
		st, ok := info.Sys().(*syscall.Stat_t)
		if !ok || (st.Nlink > 1 && !entry.IsDir() && seen[st.Ino]) {
			return nil
		}
		if st.Nlink > 1 && !entry.IsDir() {
			seen[st.Ino] = true
		}
		total += st.Blocks * 512
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("measuring %q: %w", dir, err)
	}
	return total, nil
}
