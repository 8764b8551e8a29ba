package weights

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"lamina.build/internal/atomicfile"
	"lamina.build/internal/humanize"
)

// partial is the incomplete file of a layer, and the sink for the rest.
type partial struct {
	file   *os.File
	offset int64
}

func openPartial(path string) (*partial, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644) //nolint:gosec // in the user's own layout, for others to read
	if err != nil {
		return nil, err
	}
	return &partial{file: f}, nil
}

// Offset returns how many bytes of the file are usable.
func (p *partial) Offset() int64 { return p.offset }

// Send writes the next bytes.
func (p *partial) Send(_ context.Context, data []byte) error {
	n, err := p.file.WriteAt(data, p.offset)
	p.offset += int64(n)
	return err
}

// rehash reads what an earlier pull left, as it is on disk: a mark could not tell
// whether a crash lost bytes before it. Wrong content is dropped.
func (p *partial) rehash(ctx context.Context, f flow) error {
	info, err := p.file.Stat()
	if err != nil {
		return err
	}
	buffer, err := f.fetcher.pool.take(ctx)
	if err != nil {
		return err
	}
	defer f.fetcher.pool.give(buffer)
	size := min(info.Size(), f.hash.of.Size)
	for p.offset < size {
		n, err := p.file.ReadAt(buffer[:min(int64(len(buffer)), size-p.offset)], p.offset)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			return err
		}
		if f.hash.write(p.offset, buffer[:n]) != nil {
			f.hash.reset()
			return p.truncate()
		}
		p.offset += int64(n)
	}
	return p.file.Truncate(p.offset)
}

func (p *partial) truncate() error {
	p.offset = 0
	return p.file.Truncate(0)
}

// close syncs the file, so that its content survives a crash.
func (p *partial) close() error { return errors.Join(p.file.Sync(), p.file.Close()) }

// syncDir makes a rename in a directory survive a crash.
func syncDir(dir string) error {
	d, err := os.Open(dir) //nolint:gosec // in the user's own layout
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// fits checks whether the missing layers fit on the disk.
func (p *puller) fits(ctx context.Context) error {
	var need int64
	for i, l := range p.Layers {
		d, err := p.present(ctx, i)
		if err != nil {
			return err
		}
		if d != "" {
			continue
		}
		need += l.Size
		if info, err := os.Stat(p.partial(l.key())); err == nil {
			need -= min(info.Size(), l.Size)
		}
	}
	return checkSpace(p.Dir, need)
}

// checkSpace returns a [*SpaceError] if a directory's disk lacks space for need bytes.
func checkSpace(dir string, need int64) error {
	free, err := atomicfile.Free(dir)
	if err != nil || need <= free {
		return err
	}
	return &SpaceError{Dir: dir, Need: need, Free: free}
}

// noSpace returns the error of a disk that became full while need bytes of one layer
// were still missing.
func (p *puller) noSpace(need int64) error {
	free, err := atomicfile.Free(p.Dir)
	return errors.Join(&SpaceError{Dir: p.Dir, Need: need, Free: free}, err)
}

func isFull(err error) bool { return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) }

// SpaceError is a disk that the layers don't fit on.
type SpaceError struct {
	Dir        string
	Need, Free int64 // bytes that are still needed, and those available
}

func (e *SpaceError) Error() string {
	return fmt.Sprintf("%q has %s free, but the model needs another %s there", e.Dir, humanize.Size(e.Free), humanize.Size(e.Need))
}

// Hint returns what to do about it.
func (e *SpaceError) Hint() string {
	return "free space or choose another directory, then run it again: what was downloaded is kept; build model push needs no disk space"
}
