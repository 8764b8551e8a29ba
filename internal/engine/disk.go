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
	// The root holds a ballast: on a full disk, buildkitd can't even start to prune.
	// Whoever is about to free space removes it first.
	ballastFile = "root/ballast"
	ballastSize = 64 << 20

	madeDir  = "made" // an empty file for each step of [Engine.Noted]
	mostMade = 5000   // files; then the oldest are removed
)

// ballast writes the ballast if the disk has twice its size free.
func (s state) ballast() {
	name := s.path(ballastFile)
	if info, err := os.Lstat(name); err == nil && info.Size() == ballastSize {
		return
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return // starting the engine reports it
	}
	if free, err := atomicfile.Free(filepath.Dir(name)); err != nil || free < 2*ballastSize {
		return
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600) //nolint:gosec // in our own directory
	if err != nil {
		return
	}
	if allocate(f, ballastSize) != nil {
		_, err = io.CopyN(f, rand.Reader, ballastSize) // a compressing file system would store zeros in no space
	}
	if errors.Join(err, f.Close()) != nil {
		_ = os.Remove(name) // without it, a full disk must be cleaned up by hand
	}
}

// Noted records that a private engine has run, or begun, the steps of a [Need]: a later
// build with the same steps finds their results. If recording fails, that build is only
// thought to need more disk than it does.
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

// forget removes the oldest notes if there are too many.
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

// missing returns how many of the needed bytes are still to be written. It asks the engine
// only if that decides: the notes outlive what a prune or garbage collection removes, and
// count as long as the cache holds an eighth of what they stand for, which is all that a
// finished image needs of it.
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
