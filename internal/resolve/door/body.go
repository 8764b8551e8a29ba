package door

import (
	"crypto/md5"  //nolint:gosec // what old indexes say
	"crypto/sha1" //nolint:gosec // what old indexes say
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"net/http"

	"lamina.build/internal/failure"
)

// BodyLimit is the largest body that passes.
const BodyLimit = 16 << 30

// LieError is a file that is not the one that its index says.
type LieError struct {
	URL, Index string
	What       string // "size", or an algorithm
	Said, Came string
}

func (e *LieError) Error() string {
	return fmt.Sprintf("index %s says that the %s of %s is %s, what came has %s", e.Index, e.What, e.URL, e.Said, e.Came)
}

// Hint says what helps.
func (e *LieError) Hint() string {
	return "a proxy may alter it, or its index be wrong: compare with another copy of the file"
}

// measure counts and hashes what is written into it.
type measure struct {
	sha256 hash.Hash
	said   hash.Hash // that of the strongest algorithm that the index names, nil for sha256 or none
	name   string
	size   int64
}

// newMeasure takes the strongest hash that there is beside sha256.
func newMeasure(hashes map[string]string) *measure {
	m := &measure{sha256: sha256.New()}
	known := []struct {
		name string
		make func() hash.Hash
	}{{"sha512", sha512.New}, {"sha384", sha512.New384}, {"sha256", nil}, {"sha224", sha256.New224}, {"sha1", sha1.New}, {"md5", md5.New}}
	for _, k := range known {
		if _, ok := hashes[k.name]; !ok {
			continue
		}
		if m.name = k.name; k.make != nil {
			m.said = k.make()
		}
		return m
	}
	return m
}

func (m *measure) Write(p []byte) (int, error) {
	m.size += int64(len(p))
	_, _ = m.sha256.Write(p)
	if m.said != nil {
		_, _ = m.said.Write(p)
	}
	return len(p), nil
}

func (m *measure) digest() digest {
	return digest{sha256: hex.EncodeToString(m.sha256.Sum(nil)), size: m.size}
}

// check compares what came with what an index says.
func (m *measure) check(address string, p promise) error {
	lie := &LieError{URL: address, Index: p.index}
	if p.size > 0 && p.size != m.size {
		lie.What, lie.Said, lie.Came = "size", fmt.Sprint(p.size), fmt.Sprint(m.size)
		return lie
	}
	lie.What, lie.Said, lie.Came = m.name, p.hashes[m.name], m.digest().sha256
	if m.said != nil {
		lie.Came = hex.EncodeToString(m.said.Sum(nil))
	}
	if m.name != "" && lie.Came != lie.Said {
		return lie
	}
	return nil
}

// stream copies a body into an answer, and calls whole before its last piece is
// written, so that an error of it keeps the answer from ever being complete.
func stream(w http.ResponseWriter, body io.Reader, limit int64, each io.Writer, whole func() error) error {
	flusher := http.NewResponseController(w)
	held, next := make([]byte, 0, 64<<10), make([]byte, 64<<10)
	for total := int64(0); ; {
		n, err := body.Read(next)
		if total += int64(n); total > limit {
			return fmt.Errorf("it has more than %d bytes", limit)
		}
		_, _ = each.Write(next[:n]) // hashes don't fail
		if n > 0 && len(held) > 0 {
			if _, writeErr := w.Write(held); writeErr != nil {
				return &clientError{writeErr}
			}
			_ = flusher.Flush() // a client that waits for less than a buffer
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

// cut is why a body ended before its end, which it may not do another time.
func cut(err error) error {
	return failure.WithHint(failure.New(failure.Transient, err), "the connection was cut: try again")
}

// clientError is a client that takes no more.
type clientError struct{ error }

func (e *clientError) Unwrap() error { return e.error }
