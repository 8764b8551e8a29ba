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

// hasher hashes a layer and its files in one go, and compares each file with the
// lock as soon as it ends. Where the digest of the layer is known, its files were
// compared when that was made, and hashing them again would be half of the work.
type hasher struct {
	of    *Layer
	want  digest.Digest // of the layer; "" where nobody knows it
	pos   int64         // the next byte
	whole hash.Hash     // of the layer
	file  hash.Hash     // of the file that pos is in
	err   error         // of a file; it stays
}

// errUnlike is a layer that is another than the one that was made before.
var errUnlike = errors.New("the layer isn't the one that was made before")

func newHasher(of *Layer, want digest.Digest) *hasher {
	return &hasher{of: of, want: want, whole: sha256.New(), file: sha256.New()}
}

// write hashes the bytes from start on, but for those that are hashed already.
// The layer and its files have a core each.
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

// files hashes what the next bytes of the layer have of files.
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

// digest is the layer's, once all of it is hashed.
func (h *hasher) digest() digest.Digest { return digest.NewDigest(digest.SHA256, h.whole) }

// mark is what was hashed up to a byte, so that another process can go on.
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

// resume goes on from a mark. Where that can't be, it begins anew.
func (h *hasher) resume(m mark) error {
	fresh := newHasher(h.of, h.want)
	err := fresh.whole.(encoding.BinaryUnmarshaler).UnmarshalBinary(m.Layer)
	if h.want == "" {
		err = errors.Join(err, fresh.file.(encoding.BinaryUnmarshaler).UnmarshalBinary(m.File))
	}
	if err == nil && (m.Offset < 0 || m.Offset > h.of.Size) {
		err = errors.New("it is outside of the layer")
	}
	if err != nil {
		h.reset()
		return fmt.Errorf("going on from byte %d: %w", m.Offset, err)
	}
	fresh.pos = m.Offset
	*h = *fresh
	return nil
}

// reset begins anew, and trusts nobody.
func (h *hasher) reset() { *h = *newHasher(h.of, "") }
