package testworld

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // git's hash
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"math/rand/v2"
	"sync"
)

// Content is the content of a hub's file.
type Content interface {
	io.ReaderAt
	Size() int64
}

// Text returns content with the given bytes.
func Text(text string) Content { return bytes.NewReader([]byte(text)) }

// Generated returns content of a size that depends only on a seed and is stored nowhere: 4 GB
// of it need neither memory nor disk. No two of its blocks of a megabyte are the same.
func Generated(seed uint64, size int64) Content {
	g := &generated{seed: seed, size: size}
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	_, _ = rand.NewChaCha8(key).Read(g.block[:])
	return g
}

const blockSize = 1 << 20

type generated struct {
	seed  uint64
	size  int64
	block [blockSize]byte
}

// Size returns the size in bytes.
func (g *generated) Size() int64 { return g.size }

// ReadAt implements [io.ReaderAt]: the same block repeated, with its number in its first eight
// bytes.
func (g *generated) ReadAt(p []byte, offset int64) (n int, err error) {
	if left := g.size - offset; int64(len(p)) > left {
		p, err = p[:max(left, 0)], io.EOF
	}
	for n < len(p) {
		at := offset + int64(n)
		within := at % blockSize
		if within < 8 {
			n += copy(p[n:], g.number(at / blockSize)[within:])
			continue
		}
		n += copy(p[n:], g.block[within:])
	}
	return n, err
}

func (g *generated) number(block int64) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(block)^g.seed) //nolint:gosec // no offset is negative
}

// sums caches the hashes of gigabytes for all tests of a process, as the memo of a pure
// function.
var sums sync.Map

// SHA256 returns the hash of content in hexadecimal digits. For a seed and a size it is
// computed once.
func SHA256(c Content) string {
	if f, ok := c.(HubFile); ok {
		c = f.Content
	}
	g, ok := c.(*generated)
	if !ok {
		return sumOf(sha256.New(), c)
	}
	key := [2]uint64{g.seed, uint64(g.size)} //nolint:gosec // no size is negative
	once, _ := sums.LoadOrStore(key, sync.OnceValue(func() string { return sumOf(sha256.New(), c) }))
	return once.(func() string)()
}

// gitOID returns git's object ID of content.
func gitOID(c Content) string {
	h := sha1.New() //nolint:gosec // as above
	fmt.Fprintf(h, "blob %d\x00", c.Size())
	return sumOf(h, c)
}

func sumOf(h hash.Hash, c Content) string {
	_, _ = io.CopyBuffer(h, struct{ io.Reader }{io.NewSectionReader(c, 0, c.Size())}, make([]byte, min(c.Size()+1, blockSize)))
	return hex.EncodeToString(h.Sum(nil))
}
