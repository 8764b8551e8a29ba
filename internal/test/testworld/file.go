package testworld

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"path"
	"strings"
	"time"
)

// file is what is at a path: bytes, a file on disk, or a redirect.
type file struct {
	data     []byte
	disk     string
	location string
	kind     string // its Content-Type; guessed if empty
	keep     bool   // caches may keep it for ever
	json     []byte // for clients that accept an index page as JSON
}

func (f file) read() ([]byte, error) {
	if f.disk == "" {
		return f.data, nil
	}
	return os.ReadFile(f.disk)
}

// open returns the content without loading it.
func (f file) open() (*io.SectionReader, io.Closer, error) {
	if f.disk == "" {
		return section(f.data), io.NopCloser(nil), nil
	}
	disk, err := os.Open(f.disk)
	if err != nil {
		return nil, nil, err
	}
	info, err := disk.Stat()
	if err != nil {
		_ = disk.Close()
		return nil, nil, err
	}
	return io.NewSectionReader(disk, 0, info.Size()), disk, nil
}

func section(data []byte) *io.SectionReader {
	return io.NewSectionReader(bytes.NewReader(data), 0, int64(len(data)))
}

// wanted returns the file in the form that a client accepts.
func (f file) wanted(r *http.Request) file {
	if f.json != nil && strings.Contains(r.Header.Get("Accept"), jsonPage) {
		return file{data: f.json, kind: jsonPage}
	}
	return f
}

// ServeHTTP answers with the file.
func (f file) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	if f.location != "" {
		http.Redirect(rw, r, f.location, http.StatusFound)
		return
	}
	f = f.wanted(r)
	content, closer, err := f.open()
	if err != nil {
		http.Error(rw, err.Error(), http.StatusInternalServerError)
		return
	}
	defer closer.Close()
	f.announce(rw)
	http.ServeContent(rw, r, path.Base(clean(r.URL.Path)), time.Time{}, content)
}

func (f file) announce(rw http.ResponseWriter) {
	if f.kind != "" {
		rw.Header().Set("Content-Type", f.kind)
	}
	if f.keep {
		rw.Header().Set("Cache-Control", "max-age=365000000, immutable, public")
	}
}
