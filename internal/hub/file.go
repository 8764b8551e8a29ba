package hub

import (
	"context"
	"io"
)

// File is a file of a model.
type File struct {
	Path   string // below the repository or the list, with slashes
	URL    string // where it is to be had
	Size   int64  // in bytes
	SHA256 string // 64 lower-case hexadecimal digits; empty where [Client.Lock] has yet to find out
	GitOID string // what git calls it: 40 digits; of files in git itself alone, and empty in lists
}

// Source has the bytes of files.
type Source interface {
	// Open reads length bytes of a file from an offset on. The reader yields
	// exactly as many, or an error.
	Open(ctx context.Context, f File, offset, length int64) (io.ReadCloser, error)
}
