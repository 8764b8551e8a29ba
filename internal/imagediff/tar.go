package imagediff

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
)

// entry is a tar's entry for a path.
type entry struct {
	header tar.Header
	sum    [sha256.Size]byte
}

// compareTars compares two layers path by path.
func compareTars(ctx context.Context, want, got side) ([]Difference, error) {
	a, err := entries(ctx, want)
	if err != nil {
		return nil, err
	}
	b, err := entries(ctx, got)
	if err != nil {
		return nil, err
	}
	var list []Difference
	changed := map[string]int{} // index in list
	for _, name := range slices.Sorted(maps.Keys(union(a, b))) {
		was, inA := a[name]
		is, inB := b[name]
		what := ""
		switch {
		case !inB:
			what = "it is missing"
		case !inA:
			what = "it is new"
		default:
			what = changes(was, is)
		}
		if what == "" {
			continue
		}
		if inA && inB && was.sum != is.sum {
			changed[name] = len(list)
		}
		list = append(list, Difference{Path: name, What: what})
	}
	if len(changed) > 0 {
		err = locate(ctx, want, got, func(name string, at int64) {
			if i, ok := changed[name]; ok {
				list[i].What = strings.Replace(list[i].What, "content", fmt.Sprintf("content, from byte %d on", at), 1)
			}
		}, changed)
	}
	return list, err
}

// changes describes how a path has changed, "" if not at all.
func changes(a, b entry) string {
	var list []string
	note := func(differ bool, what string, was, is any) {
		if differ {
			list = append(list, fmt.Sprintf("%s %v, was %v", what, is, was))
		}
	}
	x, y := a.header, b.header
	if a.sum != b.sum {
		list = append(list, "content")
	}
	note(x.Typeflag != y.Typeflag, "type", string(x.Typeflag), string(y.Typeflag))
	note(x.Size != y.Size, "size", x.Size, y.Size)
	note(x.Mode != y.Mode, "mode", fmt.Sprintf("%04o", x.Mode), fmt.Sprintf("%04o", y.Mode))
	note(x.Uid != y.Uid || x.Gid != y.Gid, "owner", fmt.Sprintf("%d:%d", x.Uid, x.Gid), fmt.Sprintf("%d:%d", y.Uid, y.Gid))
	note(!x.ModTime.Equal(y.ModTime), "time", x.ModTime.UTC().Format(time.RFC3339Nano), y.ModTime.UTC().Format(time.RFC3339Nano))
	note(x.Linkname != y.Linkname, "link", x.Linkname, y.Linkname)
	note(x.Devmajor != y.Devmajor || x.Devminor != y.Devminor, "device", fmt.Sprintf("%d:%d", x.Devmajor, x.Devminor), fmt.Sprintf("%d:%d", y.Devmajor, y.Devminor))
	for _, key := range slices.Sorted(maps.Keys(x.PAXRecords)) {
		note(isAttribute(key) && x.PAXRecords[key] != y.PAXRecords[key], key, fmt.Sprintf("%q", x.PAXRecords[key]), fmt.Sprintf("%q", y.PAXRecords[key]))
	}
	for _, key := range slices.Sorted(maps.Keys(y.PAXRecords)) {
		_, both := x.PAXRecords[key]
		note(isAttribute(key) && !both, key, "none", fmt.Sprintf("%q", y.PAXRecords[key]))
	}
	return strings.Join(list, "; ")
}

// isAttribute reports whether a PAX record isn't one of the header's fields.
func isAttribute(key string) bool { return strings.HasPrefix(key, "SCHILY.xattr.") }

// entries reads the entries of a layer by path.
func entries(ctx context.Context, s side) (map[string]entry, error) {
	all := map[string]entry{}
	return all, s.walk(ctx, func(h *tar.Header, content io.Reader) error {
		hash := sha256.New()
		if _, err := io.Copy(hash, content); err != nil {
			return err
		}
		e := entry{header: *h}
		hash.Sum(e.sum[:0])
		all[clean(h.Name)] = e
		return nil
	})
}

func clean(name string) string { return path.Clean("/" + name) }

var errEnough = errors.New("enough was read")

// walk reads the tar of a layer.
func (s side) walk(ctx context.Context, each func(*tar.Header, io.Reader) error) (err error) {
	blob, err := s.Open(ctx, s.stored())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, blob.Close()) }()
	plain, err := unpacked(blob, s.stored().MediaType)
	if err != nil {
		return err
	}
	defer plain.Close()
	t := tar.NewReader(plain)
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		if err = each(h, t); errors.Is(err, errEnough) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

func unpacked(r io.Reader, mediaType string) (io.ReadCloser, error) {
	switch {
	case strings.HasSuffix(mediaType, "zstd"):
		d, err := zstd.NewReader(r)
		if err != nil {
			return nil, err
		}
		return d.IOReadCloser(), nil
	case strings.HasSuffix(mediaType, "gzip"):
		return gzip.NewReader(r)
	}
	return io.NopCloser(r), nil
}

// locate finds where changed files begin to differ. If their order differs in the second
// layer, it finds only some of them.
func locate(ctx context.Context, want, got side, tell func(name string, at int64), changed map[string]int) error {
	type file struct {
		name    string
		content io.Reader
		next    chan struct{}
	}
	second := make(chan file)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 1)
	go func() {
		defer close(second)
		done <- got.walk(ctx, func(h *tar.Header, r io.Reader) error {
			if _, ok := changed[clean(h.Name)]; !ok {
				return nil
			}
			f := file{clean(h.Name), r, make(chan struct{})}
			select {
			case second <- f:
				<-f.next
				return nil
			case <-ctx.Done():
				return errEnough
			}
		})
	}()
	err := want.walk(ctx, func(h *tar.Header, r io.Reader) error {
		name := clean(h.Name)
		if _, ok := changed[name]; !ok {
			return nil
		}
		for f := range second {
			if f.name == name {
				tell(name, firstDifference(r, f.content))
			}
			close(f.next)
			if f.name == name {
				return nil
			}
		}
		return errEnough
	})
	cancel()
	for f := range second {
		close(f.next)
	}
	secondErr := <-done
	if errors.Is(secondErr, context.Canceled) { // by us, or the first walk returns it, too
		secondErr = nil
	}
	return errors.Join(err, secondErr)
}

// firstDifference returns the first offset at which two contents differ.
func firstDifference(a, b io.Reader) (at int64) {
	const piece = 64 << 10
	x, y := bufio.NewReaderSize(a, piece), bufio.NewReaderSize(b, piece)
	bufA, bufB := make([]byte, piece), make([]byte, piece)
	for {
		n, errA := io.ReadFull(x, bufA)
		m, errB := io.ReadFull(y, bufB)
		if k := min(n, m); !bytes.Equal(bufA[:k], bufB[:k]) {
			for i := range k {
				if bufA[i] != bufB[i] {
					return at + int64(i)
				}
			}
		}
		at += int64(min(n, m))
		if n != m || errA != nil || errB != nil {
			return at
		}
	}
}
