package weights

import (
	"context"
	"errors"
	"os"
)

// partial is the file of a layer that isn't whole yet, and the sink for the rest.
type partial struct {
	file   *os.File
	offset int64
}

func openPartial(path string) (*partial, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // in the user's own layout
	if err != nil {
		return nil, err
	}
	return &partial{file: f}, nil
}

// Offset returns how many bytes the file has that are worth something.
func (p *partial) Offset() int64 { return p.offset }

// Send writes the next bytes.
func (p *partial) Send(_ context.Context, data []byte) error {
	n, err := p.file.WriteAt(data, p.offset)
	p.offset += int64(n)
	return err
}

// rehash reads what an earlier pull left, as it is on disk: a mark could not
// tell whether a crash has lost bytes before it. What isn't right is dropped.
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
	size := min(info.Size(), f.tape.size)
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

// close sees to it that what is in the file stays, also after a crash.
func (p *partial) close() error { return errors.Join(p.file.Sync(), p.file.Close()) }

// syncDir has a rename in a folder survive a crash.
func syncDir(dir string) error {
	d, err := os.Open(dir) //nolint:gosec // in the user's own layout
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
