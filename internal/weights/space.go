package weights

import (
	"context"
	"errors"
	"os"

	"golang.org/x/sys/unix"

	"lamina.build/internal/atomicfile"
)

// checkSpace finds out whether the layers fit on the disk that aren't there yet.
func (p *puller) checkSpace(ctx context.Context) error {
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
	return CheckSpace(p.Dir, need)
}

// CheckSpace returns a [*SpaceError] where a folder's disk has no room for as
// many bytes.
func CheckSpace(dir string, need int64) error {
	free, err := atomicfile.Free(dir)
	if err != nil || need <= free {
		return err
	}
	return &SpaceError{Dir: dir, Need: need, Free: free}
}

// noSpace is the error of a disk that became full while need bytes of one layer
// were still to come.
func (p *puller) noSpace(need int64) error {
	free, err := atomicfile.Free(p.Dir)
	return errors.Join(&SpaceError{Dir: p.Dir, Need: need, Free: free}, err)
}

func isFull(err error) bool { return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) }
