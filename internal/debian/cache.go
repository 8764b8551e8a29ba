package debian

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"lamina.build/internal/atomicfile"
	"lamina.build/internal/fetch"
)

// File is what a signed index promises of a file.
type File struct {
	Size   int64
	SHA256 string // hexadecimal
}

// Get returns the path of a file with the promised content: from the cache
// folder where it is there, else fetched into it.
func (g *Getter) Get(ctx context.Context, address string, want File) (string, error) {
	name := g.blobPath(want)
	if holds(name, want) {
		return name, nil
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil { //nolint:gosec // a cache of public files
		return "", fmt.Errorf("making the cache folder: %w", err)
	}
	err := g.download(ctx, address, want, name)
	if isChanged(err) { // one name may have many servers
		err = g.download(ctx, address, want, name)
	}
	if err != nil {
		return "", err
	}
	return name, nil
}

func (g *Getter) blobPath(f File) string {
	return filepath.Join(g.CacheDir, "sha256", f.SHA256)
}

// holds reads a cached file whole: a disk may have lost what it once held.
func holds(name string, want File) bool {
	f, err := os.Open(name) //nolint:gosec // a name made of a hash
	if err != nil {
		return false
	}
	defer f.Close()
	sum := sha256.New()
	n, err := io.Copy(sum, f)
	return err == nil && n == want.Size && hex.EncodeToString(sum.Sum(nil)) == want.SHA256
}

// download fetches a file under another name and gives it its own when all is right.
func (g *Getter) download(ctx context.Context, address string, want File, name string) error {
	body, err := g.open(ctx, address)
	if err != nil {
		return err
	}
	defer body.Close()
	return atomicfile.Stream(name, 0o644, func(w io.Writer) error {
		sum := sha256.New()
		n, err := io.Copy(io.MultiWriter(w, sum), io.LimitReader(body, want.Size+1))
		if err != nil {
			return err
		}
		got := File{Size: n, SHA256: hex.EncodeToString(sum.Sum(nil))}
		return mismatch(fetch.Redact(address), want, got)
	})
}

func mismatch(address string, want, got File) error {
	size := strconv.FormatInt(got.Size, 10)
	switch {
	case got == want:
		return nil
	case got.Size == want.Size:
		return &fetch.MismatchError{URL: address, What: "sha256", Want: want.SHA256, Got: got.SHA256}
	case got.Size > want.Size:
		size = "more"
	}
	return &fetch.MismatchError{URL: address, What: "size", Want: strconv.FormatInt(want.Size, 10), Got: size}
}
