package weights

import (
	"errors"
	"io/fs"
	"os"

	"github.com/opencontainers/go-digest"
)

// marks is how many marks of an upload are kept. A registry may be some chunks
// behind where it was, and then the newest mark is of no use.
const marks = 8

// record is what the journal remembers of an upload.
type record struct {
	path string // "" remembers nothing

	Location string `json:"location"`
	Marks    []mark `json:"marks"` // by offset
}

func (j journal) record(key digest.Digest) *record {
	r := &record{}
	if path := j.path(j.name(key) + ".json"); path != "" {
		if !read(path, r) {
			r = &record{}
		}
		r.path = path
	}
	return r
}

// save remembers where an upload is, and what is hashed of the layer.
func (r *record) save(location string, m mark) error {
	r.Location = location
	if last := len(r.Marks) - 1; last < 0 || r.Marks[last].Offset < m.Offset {
		r.Marks = append(r.Marks, m)
	}
	r.Marks = r.Marks[max(len(r.Marks)-marks, 0):]
	if r.path == "" {
		return nil
	}
	return write(r.path, r)
}

// newest returns the last mark that isn't after a byte; the zero one says that
// nothing is hashed.
func (r *record) newest(offset int64) (newest mark) {
	for _, m := range r.Marks {
		if m.Offset <= offset && m.Offset >= newest.Offset {
			newest = m
		}
	}
	return newest
}

// drop forgets the upload.
func (r *record) drop() error {
	r.Location, r.Marks = "", nil
	if r.path == "" {
		return nil
	}
	if err := os.Remove(r.path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
