package fetch

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"sync"
)

// The size of a range that a [File] requests, and how many of them it keeps. A megabyte
// holds the directory of nearly every wheel.
const (
	chunkSize  = 1 << 20
	chunksKept = 64
)

// inMemory is the size of the largest file that is kept in memory if a server doesn't
// support ranges.
const inMemory = 32 << 20

// File is a file on a server that is read in ranges. It is safe for concurrent use; reads
// wait for each other.
type File struct {
	ctx     context.Context //nolint:containedctx // an io.ReaderAt has none
	client  *Client
	address string
	host    string // for messages
	tag     string
	size    int64
	whole   io.ReaderAt // if the server doesn't support ranges
	temp    *os.File    // holds it, if it is large

	mu     sync.Mutex
	chunks map[int64][]byte // counted from the end, so that the first one is full
	kept   []int64          // their numbers, the oldest first
}

// Open requests the size of a file of at most limit bytes, and reads nothing yet. If the
// server doesn't support ranges, it downloads the whole file. Reads happen under
// ctx.
func (c *Client) Open(ctx context.Context, address string, limit int64) (*File, error) {
	resp, err := c.get(ctx, address, http.Header{"Range": {"bytes=0-0"}})
	if err != nil {
		return nil, err
	}
	f := &File{ctx: ctx, client: c, address: address, host: resp.Request.URL.Host, tag: strongTag(resp.Header), chunks: map[int64][]byte{}}
	_, f.size = contentRange(resp.Header)
	body := c.body(ctx, address, resp)
	switch {
	case f.size > limit:
		return nil, errors.Join(f.tooLarge(limit), body.Close())
	case resp.StatusCode == http.StatusPartialContent && f.size >= 0,
		resp.StatusCode == http.StatusRequestedRangeNotSatisfiable && f.size == 0:
		discard(resp)
		return f, nil
	case resp.StatusCode == http.StatusPartialContent: // of unknown total size
		discard(resp)
		if body, err = c.Get(ctx, address); err != nil {
			return nil, err
		}
	case resp.StatusCode != http.StatusOK:
		return nil, c.refusal(resp)
	}
	defer body.Close()
	return f, f.take(body, limit)
}

func (f *File) tooLarge(limit int64) error { return &SizeError{URL: Redact(f.address), Limit: limit} }

// Size returns how many bytes the file has.
func (f *File) Size() int64 { return f.size }

// Close releases the temporary file, if any.
func (f *File) Close() error {
	if f.temp == nil {
		return nil
	}
	return f.temp.Close()
}

// ReadAt reads a part of the file.
func (f *File) ReadAt(p []byte, offset int64) (int, error) {
	if offset < 0 {
		return 0, fmt.Errorf("reading %s at %d: negative offset", Redact(f.address), offset)
	}
	if f.whole != nil {
		return f.whole.ReadAt(p, offset)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for n < len(p) {
		at := offset + int64(n)
		if at >= f.size {
			return n, io.EOF
		}
		index := (f.size - 1 - at) / chunkSize
		start, _ := f.span(index)
		data, err := f.chunk(index, f.missing(index, offset+int64(len(p))))
		if err != nil {
			return n, err
		}
		n += copy(p[n:], data[at-start:])
	}
	return n, nil
}

// span returns the range of a chunk.
func (f *File) span(index int64) (start, end int64) {
	end = f.size - index*chunkSize
	return max(0, end-chunkSize), end
}

// missing returns the last of the chunks from index on to fetch in one request, to read up
// to end. They are numbered from the end of the file.
func (f *File) missing(index, end int64) int64 {
	last := index
	for last > 0 && index-last < chunksKept/2 {
		if _, there := f.chunks[last-1]; there || f.size-last*chunkSize >= end {
			break
		}
		last--
	}
	return last
}

// chunk returns a chunk by its number, and fetches those up to last with it.
func (f *File) chunk(index, last int64) ([]byte, error) {
	if data, ok := f.chunks[index]; ok {
		return data, nil
	}
	start, _ := f.span(index)
	_, end := f.span(last)
	data, err := f.fetch(start, end)
	if err != nil {
		return nil, err
	}
	for i := index; i >= last; i-- {
		from, to := f.span(i)
		f.keep(i, data[from-start:to-start])
	}
	return f.chunks[index], nil
}

func (f *File) keep(index int64, data []byte) {
	if len(f.kept) >= chunksKept {
		delete(f.chunks, f.kept[0])
		f.kept = slices.Delete(f.kept, 0, 1)
	}
	f.chunks[index] = data
	f.kept = append(f.kept, index)
}

// fetch reads a range, and resumes it if interrupted.
func (f *File) fetch(start, end int64) ([]byte, error) {
	data, done := make([]byte, end-start), 0
	retry := f.client.Retry(f.address)
	retry.host = f.host
	err := retry.Try(f.ctx, func() error {
		n, err := f.fill(data[done:], start+int64(done))
		if done += n; n > 0 {
			retry.Progress()
		}
		return passing(err)
	})
	return data, err
}

// fill requests the bytes at start once, and returns how many arrived.
func (f *File) fill(p []byte, start int64) (int, error) {
	header := http.Header{"Range": {fmt.Sprintf("bytes=%d-%d", start, start+int64(len(p))-1)}}
	if f.tag != "" {
		header.Set("If-Range", f.tag)
	}
	resp, err := f.client.get(f.ctx, f.address, header)
	if err != nil {
		return 0, err
	}
	if resp.StatusCode != http.StatusPartialContent && resp.StatusCode != http.StatusOK {
		return 0, f.client.refusal(resp)
	}
	defer resp.Body.Close()
	if err := skip(resp, start, f.size, f.tag); err != nil {
		return 0, err
	}
	return io.ReadFull(resp.Body, p)
}

// take keeps a whole file.
func (f *File) take(body io.Reader, limit int64) error {
	body = io.LimitReader(body, limit+1)
	data, err := io.ReadAll(io.LimitReader(body, inMemory+1))
	if err != nil {
		return err
	}
	f.size, f.whole = int64(len(data)), bytes.NewReader(data)
	if f.size > limit {
		return f.tooLarge(limit)
	}
	if len(data) <= inMemory {
		return nil
	}
	if f.temp, err = os.CreateTemp(cmp.Or(f.client.opts.TempDir, os.TempDir()), "lamina-"); err != nil {
		return fmt.Errorf("creating a temporary file for %s: %w", Redact(f.address), err)
	}
	err = os.Remove(f.temp.Name()) // nothing stays behind, whatever happens
	if err == nil {
		_, err = f.temp.Write(data)
	}
	var rest int64
	if err == nil {
		rest, err = io.Copy(f.temp, body)
	}
	if err == nil && f.size+rest > limit {
		err = f.tooLarge(limit)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("storing %s: %w", Redact(f.address), err), f.temp.Close())
	}
	f.size, f.whole = f.size+rest, f.temp
	return nil
}
