package debian

import (
	"bufio"
	"compress/gzip"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// unpack returns a reader of what r holds compressed. The suffix is that of
// the file's name: ".xz", ".gz", ".zst" or nothing.
func unpack(r io.Reader, suffix string) (io.ReadCloser, error) {
	switch suffix {
	case "":
		return io.NopCloser(r), nil
	case ".gz":
		return gzip.NewReader(bufio.NewReaderSize(r, 1<<16))
	case ".xz":
		x, err := xz.NewReader(bufio.NewReaderSize(r, 1<<16))
		return io.NopCloser(x), err
	case ".zst":
		z, err := zstd.NewReader(r)
		if err != nil {
			return nil, err
		}
		return z.IOReadCloser(), nil
	}
	return nil, fmt.Errorf("unpacking %q files is not known here", suffix)
}
