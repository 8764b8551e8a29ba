package door

import (
	"crypto"
	_ "crypto/md5"  //nolint:gosec // old indexes and requirement files use it
	_ "crypto/sha1" //nolint:gosec // likewise
	"crypto/sha256"
	_ "crypto/sha512"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"net/http"
	"slices"
	"strings"

	_ "golang.org/x/crypto/blake2b" // uv supports it

	"lamina.build/internal/failure"
)

// BodyLimit is the size limit of a body.
const BodyLimit = 16 << 30

// strength orders the hashes that an index may list for a file, the strongest first.
var strength = []string{"sha512", "sha384", "sha256", "sha224", "sha1", "md5"}

// NewHash returns a hash by its name in pip and indexes, or nil if it is unknown.
func NewHash(name string) hash.Hash {
	known := map[string]crypto.Hash{
		"md5": crypto.MD5, "sha1": crypto.SHA1, "sha224": crypto.SHA224, "sha256": crypto.SHA256, "sha384": crypto.SHA384, "sha512": crypto.SHA512,
		"blake2b": crypto.BLAKE2b_256,
	}
	if h, ok := known[strings.ToLower(name)]; ok {
		return h.New()
	}
	return nil
}

// measure counts and hashes the bytes written to it.
type measure struct {
	sha256 hash.Hash
	said   hash.Hash // of the strongest algorithm that the index lists, possibly sha256
	name   string
	size   int64
}

func newMeasure(hashes map[string]string) *measure {
	m := &measure{sha256: sha256.New()}
	i := slices.IndexFunc(strength, func(name string) bool { return hashes[name] != "" })
	if i < 0 {
		return m
	}
	if m.name, m.said = strength[i], m.sha256; m.name != "sha256" {
		m.said = NewHash(m.name)
	}
	return m
}

func (m *measure) Write(p []byte) (int, error) {
	m.size += int64(len(p))
	_, _ = m.sha256.Write(p)
	if m.said != nil && m.said != m.sha256 {
		_, _ = m.said.Write(p)
	}
	return len(p), nil
}

func (m *measure) digest() digest {
	return digest{sha256: hex.EncodeToString(m.sha256.Sum(nil)), size: m.size}
}

// check compares the content with what an index lists.
func (m *measure) check(address string, p promise) error {
	lie := func(what, said, came string) error {
		err := fmt.Errorf("index %s lists the %s of %s as %s, but the content has %s", p.index, what, address, said, came)
		return failure.WithHint(err, "a proxy may have altered it, or the index may be wrong; compare it with another copy of the file")
	}
	if p.size > 0 && p.size != m.size {
		return lie("size", fmt.Sprint(p.size), fmt.Sprint(m.size))
	}
	if m.said == nil {
		return nil
	}
	if came := hex.EncodeToString(m.said.Sum(nil)); came != p.hashes[m.name] {
		return lie(m.name, p.hashes[m.name], came)
	}
	return nil
}

// stream copies a body into a response, and calls whole before it writes the last piece, so
// that an error leaves the response incomplete.
func stream(w http.ResponseWriter, body io.Reader, each io.Writer, whole func() error) error {
	flusher := http.NewResponseController(w)
	held, next := make([]byte, 0, 64<<10), make([]byte, 64<<10)
	for total := int64(0); ; {
		n, err := body.Read(next)
		if total += int64(n); total > BodyLimit {
			return fmt.Errorf("it is larger than %d bytes", int64(BodyLimit))
		}
		_, _ = each.Write(next[:n]) // hashes don't fail
		if n > 0 && len(held) > 0 {
			if _, writeErr := w.Write(held); writeErr != nil {
				return &clientError{writeErr}
			}
			_ = flusher.Flush() // the client may wait for less than a buffer
		}
		if n > 0 {
			held, next = next[:n], held[:cap(held)]
		}
		if err == io.EOF { //nolint:errorlint // as io.Copy compares it
			if err = whole(); err == nil && len(held) > 0 {
				_, err = w.Write(held)
			}
			return err
		}
		if err != nil {
			return cut(err)
		}
	}
}

// cut is the transient error of a body that ended early.
func cut(err error) error {
	return failure.WithHint(failure.New(failure.Transient, err), "the connection was cut; try again")
}

// clientError is an error of writing to the client.
type clientError struct{ error }

func (e *clientError) Unwrap() error { return e.error }
