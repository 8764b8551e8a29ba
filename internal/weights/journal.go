package weights

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/opencontainers/go-digest"

	"lamina.build/internal/atomicfile"
	"lamina.build/lock"
)

// journal is a directory that remembers layers: their digests, for all destinations,
// and the progress towards each destination. Nothing in it is precious: what can't be
// read counts as missing. An empty dir remembers nothing.
type journal struct {
	dir   string
	place string // the destination: a repository; the same layer may be on its way to others
}

func (j journal) open() error {
	if j.dir == "" {
		return nil
	}
	return os.MkdirAll(j.dir, 0o700)
}

// known is what the journal knows about a layer for all destinations.
type known struct {
	Digest digest.Digest `json:"digest"`
}

// digest returns the digest of a layer that was made before, or "".
func (j journal) digest(key digest.Digest) digest.Digest {
	var k known
	if !read(j.knownPath(key), &k) || k.Digest.Validate() != nil {
		return ""
	}
	return k.Digest
}

// learn remembers the digest of a layer.
func (j journal) learn(key, d digest.Digest) error {
	if j.dir == "" || j.digest(key) == d {
		return nil
	}
	return write(j.knownPath(key), known{d})
}

func (j journal) knownPath(key digest.Digest) string { return j.path(key.Encoded() + ".json") }

func (j journal) path(name string) string {
	if j.dir == "" {
		return ""
	}
	return filepath.Join(j.dir, name)
}

// lock waits until no other process moves the layer to the same destination.
func (j journal) lock(ctx context.Context, key digest.Digest) (func() error, error) {
	if j.dir == "" {
		return func() error { return nil }, nil
	}
	lock, err := atomicfile.Exclusive(ctx, j.path(j.name(key)+".lock"))
	if err != nil {
		return nil, err
	}
	return lock.Close, nil
}

// name returns the base name of the files about a layer on its way to the destination.
func (j journal) name(key digest.Digest) string {
	place := sha256.Sum256([]byte(j.place))
	return key.Encoded() + "." + hex.EncodeToString(place[:6])
}

// read reads a JSON file and reports whether it could.
func read(path string, into any) bool {
	f, err := os.Open(path) //nolint:gosec // in the user's own cache directory, or checked by [Pull]
	if err != nil {
		return false
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxNote))
	return err == nil && json.Unmarshal(data, into) == nil
}

// maxNote is more than any file of the journal has, in bytes: in a directory from elsewhere
// there may be anything.
const maxNote = 1 << 20

// write replaces a file atomically. Only its owner may read it: it contains locations
// of uploads.
func write(path string, v any) error {
	return atomicfile.Stream(path, 0o600, func(w io.Writer) error { return json.NewEncoder(w).Encode(v) })
}

// Remembered returns the layers of the model as they were made on this machine before,
// or nil. dir is that of [PushOptions.Journal].
func (j Job) Remembered(dir string) []lock.ModelLayer {
	list := make([]lock.ModelLayer, len(j.Layers))
	for i, l := range j.Layers {
		d := journal{dir: dir}.digest(l.key())
		if d == "" {
			return nil
		}
		list[i] = lock.ModelLayer{Size: l.Size, Digest: d, DiffID: d}
	}
	return list
}

// Remember records an image's layers for [Job.Remembered].
func (j Job) Remember(dir string, image Image) error {
	known := journal{dir: dir}
	problems := append(make([]error, 0, 1+len(image.Layers)), known.open())
	for i, l := range image.Layers {
		problems = append(problems, known.learn(j.Layers[i].key(), l.Digest))
	}
	return errors.Join(problems...)
}

// marks is how many marks of an upload are kept. A registry may fall back by some
// chunks, and then the newest mark is useless.
const marks = 8

// record is the journal's record of an upload.
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

// save records where an upload is, and the state of the layer's hash.
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

// newest returns the last mark that isn't after an offset; the zero mark means that
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
