package weights

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"path/filepath"

	"github.com/opencontainers/go-digest"

	"lamina.build/internal/atomicfile"
)

// journal is a folder that remembers what became of layers: their digests, for
// all places, and how far each place has them. Nothing in it is precious: what
// can't be read is as good as nothing. An empty dir remembers nothing.
type journal struct {
	dir   string
	place string // where the layers go: a repository; the same layer may be on its way to others
}

func (j journal) open() error {
	if j.dir == "" {
		return nil
	}
	return os.MkdirAll(j.dir, 0o700)
}

// known is what the journal knows about a layer wherever it goes.
type known struct {
	Digest digest.Digest `json:"digest"`
}

// digest returns the digest of a layer that was made once, or "".
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

// lock waits until nobody else moves the layer to the same place.
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

// name is what the files are called about a layer on its way to the place.
func (j journal) name(key digest.Digest) string {
	place := sha256.Sum256([]byte(j.place))
	return key.Encoded() + "." + hex.EncodeToString(place[:6])
}

// read reads a file of JSON, if it can be read.
func read(path string, into any) bool {
	data, err := os.ReadFile(path) //nolint:gosec // in the user's own cache folder
	return err == nil && json.Unmarshal(data, into) == nil
}

// write replaces a file, so that a reader sees all of the old one or of the
// new. It is for its owner alone: locations of uploads are in it.
func write(path string, v any) error {
	return atomicfile.Stream(path, 0o600, func(w io.Writer) error { return json.NewEncoder(w).Encode(v) })
}
