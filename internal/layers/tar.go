package layers

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"

	"lamina.build/llb"
)

// ErrChanged means that a tree changed while it was packed.
var ErrChanged = errors.New("changed while it was packed")

// writeTar writes the layer. The headers are those of BuildKit's differ: PAX format,
// which gives plain ustar blocks unless a name needs more, and neither user names nor
// access times.
func writeTar(ctx context.Context, w io.Writer, entries []entry) error {
	tw := tar.NewWriter(w)
	buf := make([]byte, 256<<10)
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		if err := tw.WriteHeader(header(e)); err != nil {
			return fmt.Errorf("packing %q: %w", e.name, err)
		}
		if e.kind != file || e.size == 0 {
			continue
		}
		if err := copyFile(ctx, tw, e, buf); err != nil {
			return fmt.Errorf("packing %q: %w", e.name, err)
		}
	}
	return tw.Close()
}

func header(e entry) *tar.Header {
	h := &tar.Header{
		Format:   tar.FormatPAX,
		Typeflag: tar.TypeDir,
		Name:     e.tarName(),
		Mode:     e.mode,
		ModTime:  llb.EpochTime(),
	}
	switch e.kind {
	case file:
		h.Typeflag, h.Size = tar.TypeReg, e.size
	case symlink:
		h.Typeflag, h.Linkname = tar.TypeSymlink, e.link
	case directory:
	}
	return h
}

func copyFile(ctx context.Context, w io.Writer, e entry, buf []byte) (err error) {
	r, err := e.open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	n, err := io.CopyBuffer(onlyWriter{w}, &reader{ctx: ctx, r: r}, buf)
	if errors.Is(err, tar.ErrWriteTooLong) || err == nil && n != e.size {
		return ErrChanged
	}
	return err
}

// onlyWriter hides ReadFrom, which would use its own buffer.
type onlyWriter struct{ io.Writer }

// reader stops when its context ends.
type reader struct {
	ctx context.Context // lives for one copy
	r   io.Reader
}

func (r *reader) Read(p []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	return r.r.Read(p)
}
