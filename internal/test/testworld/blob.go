package testworld

import (
	"crypto/sha256"
	"io"
	"math/rand/v2"
	"os"
)

// blob returns content that depends only on name and version.
func (w Wheel) blob() io.Reader {
	if w.Sparse {
		return io.LimitReader(zeros{}, w.Size)
	}
	return io.LimitReader(rand.NewChaCha8(sha256.Sum256([]byte(w.Name+"-"+w.Version))), w.Size)
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// sparseWriter skips zeros instead of writing them.
type sparseWriter struct{ file *os.File }

func (s *sparseWriter) Write(p []byte) (int, error) {
	for _, b := range p {
		if b != 0 {
			return s.file.Write(p)
		}
	}
	_, err := s.file.Seek(int64(len(p)), io.SeekCurrent)
	return len(p), err
}
