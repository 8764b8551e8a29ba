package weights

import (
	"crypto/sha256"
	"encoding"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"strings"
	"sync"

	"github.com/opencontainers/go-digest"
)

// hasher hashes a layer and its files in one pass, and compares each file with the lock
// as soon as it ends. If the layer's digest is known, the files were compared when it was
// computed, and hashing them again would be half of the work.
type hasher struct {
	of    *Layer
	want  digest.Digest // of the layer; "" if unknown
	pos   int64         // the next byte
	whole hash.Hash     // of the layer
	file  hash.Hash     // of the file that pos is in
	err   error         // of a file; sticky
}

// errUnlike means that the layer differs from the one made before.
var errUnlike = errors.New("the layer differs from the one made before")

func newHasher(of *Layer, want digest.Digest) *hasher {
	return &hasher{of: of, want: want, whole: sha256.New(), file: sha256.New()}
}

// write hashes the bytes from start on, except those already hashed. The layer and its
// files have a core each.
func (h *hasher) write(start int64, data []byte) error {
	data = data[min(max(h.pos-start, 0), int64(len(data))):]
	if len(data) == 0 || h.err != nil {
		return h.err
	}
	var layer sync.WaitGroup
	layer.Go(func() { _, _ = h.whole.Write(data) }) // a hash never fails
	if h.want == "" {
		h.err = h.files(data)
	}
	layer.Wait()
	h.pos += int64(len(data))
	if h.pos == h.of.Size && h.want != "" && h.digest() != h.want {
		h.err = errUnlike
	}
	return h.err
}

// files hashes the parts of files in the layer's next bytes.
func (h *hasher) files(data []byte) error {
	var problems []error
	for p := range h.of.pieces(h.pos, h.pos+int64(len(data))) {
		if p.part.File == "" {
			continue
		}
		if p.offset == 0 {
			h.file.Reset()
		}
		_, _ = h.file.Write(data[p.at : p.at+p.size])
		if p.ends() {
			problems = append(problems, h.compare(p.part.File))
		}
	}
	return errors.Join(problems...)
}

func (h *hasher) compare(target string) error {
	file := h.of.Files[target]
	if got := hex.EncodeToString(h.file.Sum(nil)); got != strings.ToLower(file.SHA256) {
		return &MismatchError{File: file.Path, Want: file.SHA256, Got: got}
	}
	return nil
}

// digest returns the layer's digest, once all of it is hashed.
func (h *hasher) digest() digest.Digest { return digest.NewDigest(digest.SHA256, h.whole) }

// mark is the state of the hashes at an offset, so that another process can continue.
type mark struct {
	Offset int64  `json:"offset"`
	Layer  []byte `json:"layer"`
	File   []byte `json:"file"`
}

func (h *hasher) mark() mark {
	m := mark{Offset: h.pos}
	m.Layer, _ = h.whole.(encoding.BinaryMarshaler).MarshalBinary() // crypto/sha256 always can
	if h.want == "" {
		m.File, _ = h.file.(encoding.BinaryMarshaler).MarshalBinary()
	}
	return m
}

// resume continues from a mark. If that fails, it starts over.
func (h *hasher) resume(m mark) error {
	fresh := newHasher(h.of, h.want)
	err := fresh.whole.(encoding.BinaryUnmarshaler).UnmarshalBinary(m.Layer)
	if h.want == "" {
		err = errors.Join(err, fresh.file.(encoding.BinaryUnmarshaler).UnmarshalBinary(m.File))
	}
	if err == nil && (m.Offset < 0 || m.Offset > h.of.Size) {
		err = errors.New("it is outside the layer")
	}
	if err != nil {
		h.reset()
		return fmt.Errorf("continuing from byte %d: %w", m.Offset, err)
	}
	fresh.pos = m.Offset
	*h = *fresh
	return nil
}

// reset starts over and forgets the expected digest.
func (h *hasher) reset() { *h = *newHasher(h.of, "") }
