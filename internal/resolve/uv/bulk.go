package uv

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"math"

	"lamina.build/internal/failure"
	"lamina.build/internal/humanize"
)

// Limits of a wheel's content. The largest existing ones have some 30,000 files and
// directories of 5 MB, and unpack to less than ten times their size.
const (
	maxDirectory  = 48 << 20
	mostEntries   = 300_000
	smallUnpacked = 1 << 30 // bytes that any wheel may unpack to
	mostTimes     = 100     // factor of its size, if that is more
)

// openZip reads the directory of a wheel, and rejects one that would fill memory or a disk
// before anything is unpacked: uv trusts a wheel's directory.
func openZip(r io.ReaderAt, size int64) (*zip.Reader, error) {
	bounded := &directoryReader{r: r, left: maxDirectory}
	z, err := zip.NewReader(bounded, size)
	bounded.left = math.MaxInt64 // reads of its files have their own limits
	switch {
	case errors.Is(err, errDirectory):
		return nil, failure.New(failure.Usage, err)
	case err != nil:
		return nil, unreadable("it is not a wheel", err)
	case len(z.File) > mostEntries:
		return nil, failure.New(failure.Usage, fmt.Errorf("it holds %d files; a wheel may have at most %d", len(z.File), mostEntries))
	}
	return z, failure.New(failure.Usage, checkBulk(z.File, size))
}

// directoryReader limits the size of a directory that is read through it.
type directoryReader struct {
	r    io.ReaderAt
	left int64
}

var errDirectory = fmt.Errorf("its directory is larger than %s", humanize.Size(maxDirectory))

func (d *directoryReader) ReadAt(p []byte, off int64) (int, error) {
	if d.left -= int64(len(p)); d.left < 0 {
		return 0, errDirectory
	}
	return d.r.ReadAt(p, off)
}

// checkBulk rejects files with impossible sizes: those that overlap, whose sizes contradict
// each other, or that unpack to more than any real wheel.
func checkBulk(files []*zip.File, size int64) error {
	const header = 30 // bytes per file, without its name
	var packed, unpacked uint64
	for _, f := range files {
		packed = plus(packed, plus(f.CompressedSize64, header+uint64(len(f.Name))))
		unpacked = plus(unpacked, f.UncompressedSize64)
		if isLie(f) {
			return fmt.Errorf("its directory lists %q with %d bytes, compressed to %d, which is impossible", f.Name, f.UncompressedSize64, f.CompressedSize64)
		}
	}
	switch {
	case packed > uint64(size): //nolint:gosec // a size
		return fmt.Errorf("its files overlap: they take %s of its %s", amount(packed), humanize.Size(size))
	case unpacked > max(smallUnpacked, uint64(size)*mostTimes): //nolint:gosec // as above, of a file
		return fmt.Errorf("it unpacks to %s, more than %d times its size", amount(unpacked), mostTimes)
	}
	return nil
}

// isLie reports whether no content can have both sizes. Deflate makes at most 1032 bytes of
// one, and adds little to incompressible data.
func isLie(f *zip.File) bool {
	const most, some = 1032, 4096
	small, large := f.CompressedSize64, f.UncompressedSize64
	if f.Method == zip.Store {
		return small != large
	}
	return large/most > plus(small, some) || small/2 > plus(large, some)
}

func plus(a, b uint64) uint64 {
	if a > math.MaxUint64-b {
		return math.MaxUint64
	}
	return a + b
}

func amount(n uint64) string { return humanize.Size(int64(min(n, math.MaxInt64))) }
