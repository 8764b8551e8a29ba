package debian

import (
	"archive/tar"
	"bufio"
	"bytes"
	"cmp"
	"compress/bzip2"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"lamina.build/internal/failure"
)

// WalkDeb calls visit for each entry that a .deb installs, with its name without a leading
// "./". visit may return [ErrStop].
func WalkDeb(r io.Reader, visit func(h *tar.Header, content io.Reader) error) error {
	err := walkAr(r, func(name string, member io.Reader) error {
		suffix, isData := strings.CutPrefix(name, "data.tar")
		if !isData {
			return nil
		}
		plain, err := unpack(member, suffix)
		if err != nil {
			return fmt.Errorf("unpacking %s: %w", name, err)
		}
		defer plain.Close()
		if err := walkTar(plain, visit); err != nil {
			return err
		}
		return ErrStop
	})
	switch {
	case errors.Is(err, ErrStop):
		return nil
	case err == nil:
		return errors.New("no data.tar in it")
	}
	return err
}

// PlainDeb returns an uncompressed .deb with the files of deb if busybox can't unpack it:
// it supports xz and gzip, but not Ubuntu's compression. Otherwise it returns nil.
func PlainDeb(deb string) (plain []byte, err error) {
	f, err := os.Open(deb) //nolint:gosec // a file of the cache
	if err != nil {
		return nil, err
	}
	defer f.Close()
	err = walkAr(f, func(name string, member io.Reader) error {
		suffix, isData := strings.CutPrefix(name, "data.tar")
		if !isData || suffix == ".xz" || suffix == ".gz" {
			return nil
		}
		files, bad := unpack(member, suffix)
		if bad != nil {
			return fmt.Errorf("unpacking %s: %w", name, bad)
		}
		defer files.Close()
		data, bad := io.ReadAll(files)
		if bad != nil {
			return fmt.Errorf("unpacking %s: %w", name, bad)
		}
		plain = fmt.Appendf(nil, "%s%-16s%-12d%-6d%-6d%-8s%-10d`\n%s", arMagic, "data.tar", 0, 0, 0, "100644", len(data), data)
		return ErrStop
	})
	if errors.Is(err, ErrStop) {
		err = nil
	}
	return plain, err
}

// ErrStop ends a walk early, without an error.
var ErrStop = errors.New("stop")

// ReadDebFile returns the first regular file of a .deb whose name matches one of the patterns,
// as in [path.Match].
func ReadDebFile(deb string, patterns ...string) (content []byte, err error) {
	f, err := os.Open(deb) //nolint:gosec // a file of the cache
	if err != nil {
		return nil, err
	}
	defer f.Close()
	err = fmt.Errorf("no file %q in it", strings.Join(patterns, " or "))
	walked := WalkDeb(f, func(h *tar.Header, body io.Reader) error {
		if h.Typeflag != tar.TypeReg || !slices.ContainsFunc(patterns, func(p string) bool { return matches(p, h.Name) }) {
			return nil
		}
		if content, err = io.ReadAll(body); err != nil {
			return err
		}
		return ErrStop
	})
	return content, cmp.Or(walked, err)
}

// matches is for constant patterns, which are all valid.
func matches(pattern, name string) bool {
	ok, _ := path.Match(pattern, name)
	return ok
}

func walkTar(r io.Reader, visit func(h *tar.Header, content io.Reader) error) error {
	t := tar.NewReader(r)
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading data.tar: %w", err)
		}
		h.Name = strings.TrimPrefix(path.Clean("/"+h.Name), "/")
		if err := visit(h, t); err != nil {
			return err
		}
	}
}

const (
	arMagic  = "!<arch>\n"
	arHeader = 60 // name 16, time 12, uid 6, gid 6, mode 8, size 10, "`\n"
)

// walkAr calls visit for each member of an ar archive, the format of a .deb.
func walkAr(r io.Reader, visit func(name string, member io.Reader) error) error {
	magic := make([]byte, len(arMagic))
	if _, err := io.ReadFull(r, magic); err != nil || string(magic) != arMagic {
		return errors.New("not a .deb: it doesn't begin like an ar archive")
	}
	header := make([]byte, arHeader)
	for {
		if _, err := io.ReadFull(r, header); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("reading the ar archive: %w", err)
		}
		size, err := strconv.ParseInt(string(bytes.TrimRight(header[48:58], " ")), 10, 64)
		if err != nil || size < 0 || string(header[58:]) != "`\n" {
			return errors.New("reading the ar archive: a member's header is broken")
		}
		member := io.LimitReader(r, size)
		if err := visit(strings.TrimRight(string(header[:16]), " /"), member); err != nil {
			return err
		}
		// Members begin at even offsets.
		if _, err := io.Copy(io.Discard, member); err != nil {
			return err
		}
		if size%2 == 1 {
			if _, err := io.CopyN(io.Discard, r, 1); err != nil && !errors.Is(err, io.EOF) {
				return err
			}
		}
	}
}

// mostUnpacked limits the unpacked bytes of an index, or of the data of a package that the
// client itself reads: the largest have a sixth of it.
const mostUnpacked = 512 << 20

// unpack returns a reader that decompresses r, and fails beyond the size limit. The suffix
// is from the file's name: ".xz", ".gz", ".zst", ".bz2" or nothing.
func unpack(r io.Reader, suffix string) (io.ReadCloser, error) {
	plain, err := decompress(r, suffix)
	if err != nil {
		return nil, err
	}
	return &bounded{plain, mostUnpacked}, nil
}

type bounded struct {
	io.ReadCloser

	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, failure.New(failure.Usage, fmt.Errorf("it unpacks to more than %d MB", mostUnpacked>>20))
	}
	return n, err
}

func decompress(r io.Reader, suffix string) (io.ReadCloser, error) {
	switch suffix {
	case "":
		return io.NopCloser(r), nil
	case ".gz":
		return gzip.NewReader(bufio.NewReaderSize(r, 1<<16))
	case ".xz":
		x, err := xz.NewReader(bufio.NewReaderSize(r, 1<<16))
		return io.NopCloser(x), err
	case ".bz2":
		return io.NopCloser(bzip2.NewReader(bufio.NewReaderSize(r, 1<<16))), nil
	case ".zst":
		z, err := zstd.NewReader(r, zstd.WithDecoderMaxWindow(128<<20)) // zstd's own default
		if err != nil {
			return nil, err
		}
		return z.IOReadCloser(), nil
	}
	return nil, fmt.Errorf("unsupported compression %q", suffix)
}
