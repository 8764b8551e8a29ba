package engine

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/moby/buildkit/client"

	"lamina.build/internal/atomicfile"
)

const (
	// A ballast lies in the root: where the disk is full, buildkitd can't even start to
	// prune. Whoever is about to make room takes it away first.
	ballastFile = "root/ballast"
	ballastSize = 64 << 20

	madeDir  = "made" // an empty file for each step of [Engine.Noted]
	mostMade = 5000   // of them: the oldest go
)

// ballast makes the ballast, where there is room for it and as much again.
func (s state) ballast() {
	name := s.path(ballastFile)
	if info, err := os.Lstat(name); err == nil && info.Size() == ballastSize {
		return
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return // who starts the engine says so
	}
	if free, err := atomicfile.Free(filepath.Dir(name)); err != nil || free < 2*ballastSize {
		return
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600) //nolint:gosec // in our own directory
	if err != nil {
		return
	}
	if allocate(f, ballastSize) != nil {
		_, err = io.CopyN(f, rand.Reader, ballastSize) // zeros would be nothing to a file system that compresses
	}
	if errors.Join(err, f.Close()) != nil {
		_ = os.Remove(name) // without it, a full disk has to be helped by hand
	}
}

// Noted has a private engine remember that steps of a [Need] were made, or begun: a later
// build that has them as well finds what it made. What can't be noted is made out to need
// more than it does, no more.
func (e *Engine) Noted(disk map[string]int64) {
	if e.lease == nil {
		return
	}
	dir := state{dir: filepath.Dir(e.lease.Path())}.path(madeDir)
	_ = os.Mkdir(dir, 0o700)
	now := time.Now()
	for step := range disk {
		name := filepath.Join(dir, step)
		if os.Chtimes(name, now, now) != nil {
			_ = os.WriteFile(name, nil, 0o600)
		}
	}
	forget(dir)
}

// forget removes the oldest notes where there are too many.
func forget(dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) <= mostMade {
		return
	}
	age := func(e os.DirEntry) int64 {
		info, err := e.Info()
		if err != nil {
			return 0
		}
		return info.ModTime().UnixNano()
	}
	slices.SortFunc(entries, func(a, b os.DirEntry) int { return cmp.Compare(age(a), age(b)) })
	for _, e := range entries[:len(entries)-mostMade/2] {
		_ = os.Remove(filepath.Join(dir, e.Name()))
	}
}

// missing is how much of what is needed isn't made yet. The engine is asked only where
// that decides: the notes outlive what a prune or its garbage collection takes, and are
// believed as long as the cache holds an eighth of what they stand for: a finished image
// needs no more of it.
func (s state) missing(ctx context.Context, c *client.Client, need Need, free int64) int64 {
	all := need.Bytes()
	if all <= free {
		return all
	}
	left := Need{Disk: map[string]int64{}}
	for step, size := range need.Disk {
		if _, err := os.Lstat(filepath.Join(s.path(madeDir), step)); err != nil {
			left.Disk[step] = size
		}
	}
	records, err := Du(ctx, c)
	if err != nil {
		return all
	}
	var held int64
	for _, r := range records {
		held += r.Size
	}
	if made := all - left.Bytes(); held < made/8 {
		return all
	}
	return left.Bytes()
}
