// Package debian reads Debian repositories: mirrors, signed indexes, packages.
//
// Trust is a chain. A [Getter] fetches an InRelease; [Keyring.Verify] checks its signature
// and yields a [Release], which has the size and hash of each Packages file; those have the
// size and hash of each .deb. Nothing outside this chain is trusted, so a mirror need not be.
//
// The package resolves nothing: apt does, see package resolve.
package debian

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"

	"lamina.build/internal/atomicfile"
	"lamina.build/internal/failure"
	"lamina.build/internal/fetch"
)

// Getter fetches files from mirrors, which may be local directories.
type Getter struct {
	HTTP     *fetch.Client
	CacheDir string // for files with a known hash; others are not cached

	// Vendored opens a file of another store, by its SHA-256; nil for none.
	Vendored func(ctx context.Context, sha256 string) (io.ReadCloser, error)
}

// NewGetter returns a Getter that honours the proxy variables of the environment.
func NewGetter(cacheDir string) *Getter {
	return &Getter{HTTP: fetch.New(fetch.Options{}), CacheDir: cacheDir}
}

// Fetch returns the content of a file whose hash is not known yet, of at most limit bytes.
func (g *Getter) Fetch(ctx context.Context, address string, limit int64) ([]byte, error) {
	body, err := g.Open(ctx, address)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	data, err := io.ReadAll(io.LimitReader(body, limit+1))
	if err == nil && int64(len(data)) > limit {
		return nil, &fetch.MismatchError{URL: fetch.Redact(address), What: "size", Want: fmt.Sprintf("at most %d", limit), Got: "more"}
	}
	return data, err
}

// Open opens a file on a server or a local mirror. A missing local file returns the error of
// a 404.
func (g *Getter) Open(ctx context.Context, address string) (io.ReadCloser, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "file" {
		return g.HTTP.Get(ctx, address)
	}
	f, err := os.Open(u.Path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, &fetch.StatusError{URL: address, Host: "the local mirror", Code: http.StatusNotFound}
	}
	return f, err
}

// File is what a signed index promises of a file. One hash, in hexadecimal, is enough.
type File struct {
	Size   int64
	SHA256 string
	SHA512 string // used if there is no SHA256
}

// promised returns the hash that a file must have, and its algorithm.
func (f File) promised() (algorithm, sum string) {
	if f.SHA256 == "" {
		return "sha512", f.SHA512
	}
	return "sha256", f.SHA256
}

// seen returns the size and hash of a reader's content, by the algorithm of f.
func (f File) seen(r io.Reader) (got File, err error) {
	h := sha256.New()
	if f.SHA256 == "" {
		h = sha512.New()
	}
	if got.Size, err = io.Copy(h, r); err != nil {
		return File{}, err
	}
	sum := hex.EncodeToString(h.Sum(nil))
	if f.SHA256 == "" {
		got.SHA512 = sum
	} else {
		got.SHA256, got.SHA512 = sum, f.SHA512
	}
	return got, nil
}

// Get returns the path of a file with the promised content in the cache directory, after
// fetching it if necessary.
func (g *Getter) Get(ctx context.Context, address string, want File) (string, error) {
	name := g.blobPath(want)
	if holds(name, want) {
		return name, nil
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil { //nolint:gosec // a cache of public files
		return "", fmt.Errorf("making the cache directory: %w", err)
	}
	if g.Vendored != nil {
		body, err := g.Vendored(ctx, want.SHA256)
		if err == nil && g.take(body, "what is vendored", want, name) == nil {
			return name, nil
		}
	}
	err := g.download(ctx, address, want, name)
	if isChanged(err) { // a name may have several servers
		err = g.download(ctx, address, want, name)
	}
	if err != nil {
		return "", err
	}
	return name, nil
}

func (g *Getter) blobPath(f File) string {
	algorithm, sum := f.promised()
	return filepath.Join(g.CacheDir, algorithm, sum)
}

// holds reads a whole cached file: it may have been damaged on disk.
func holds(name string, want File) bool {
	f, err := os.Open(name) //nolint:gosec // a name made of a hash
	if err != nil {
		return false
	}
	defer f.Close()
	got, err := want.seen(f)
	return err == nil && got == want
}

func (g *Getter) download(ctx context.Context, address string, want File, name string) error {
	body, err := g.Open(ctx, address)
	if err != nil {
		return err
	}
	return g.take(body, fetch.Redact(address), want, name)
}

// take writes a file under a temporary name, and renames it once it is verified.
func (g *Getter) take(body io.ReadCloser, from string, want File, name string) error {
	defer body.Close()
	return atomicfile.Stream(name, 0o644, func(w io.Writer) error {
		got, err := want.seen(io.TeeReader(io.LimitReader(body, want.Size+1), w))
		if err != nil {
			return err
		}
		return mismatch(from, want, got)
	})
}

// SHA256 returns the hash of a cached file.
func SHA256(name string) (string, error) {
	f, err := os.Open(name) //nolint:gosec // a file of the cache
	if err != nil {
		return "", err
	}
	defer f.Close()
	got, err := File{SHA256: "any"}.seen(f)
	return got.SHA256, err
}

func mismatch(address string, want, got File) error {
	size := strconv.FormatInt(got.Size, 10)
	switch {
	case got == want:
		return nil
	case got.Size == want.Size:
		algorithm, sum := want.promised()
		_, other := got.promised()
		return &fetch.MismatchError{URL: address, What: algorithm, Want: sum, Got: other}
	case got.Size > want.Size:
		size = "more"
	}
	return &fetch.MismatchError{URL: address, What: "size", Want: strconv.FormatInt(want.Size, 10), Got: size}
}

// signatureError is an index without a valid signature by a trusted key.
type signatureError struct{ subject, reason string }

func (e *signatureError) Error() string { return e.subject + ": " + e.reason }

// IsNotFound reports whether a server answered that it doesn't have the file.
func IsNotFound(err error) bool {
	status, ok := errors.AsType[*fetch.StatusError](err)
	return ok && (status.Code == http.StatusNotFound || status.Code == http.StatusGone)
}

// isUnreachable reports whether a file can't be fetched from here, or not now.
func isUnreachable(err error) bool {
	_, proxy := errors.AsType[*fetch.ProxyError](err)
	return proxy || fetch.IsUntrusted(err) || failure.KindOf(fetch.Explain(err)) == failure.Transient
}

// isChanged reports whether a file changed during its download.
func isChanged(err error) bool {
	_, ok := errors.AsType[*fetch.ChangedError](err)
	return ok
}

// explain adds a kind and hints to a network error.
func explain(err error) error {
	_, mismatch := errors.AsType[*fetch.MismatchError](err)
	_, refused := errors.AsType[*fetch.StatusError](err)
	const mirror = "name another mirror with --debian-mirror"
	switch {
	case fetch.IsUntrusted(err):
		return failure.WithHint(fetch.Explain(err), "or "+mirror)
	case isUnreachable(err):
		err = failure.New(failure.Transient, err)
		return failure.WithHint(err, "check the network and HTTP_PROXY, or "+mirror)
	case mismatch || isChanged(err):
		err = failure.New(failure.Transient, err)
		return failure.WithHint(err, "the mirror may be in the middle of an update: try again later, or "+mirror)
	case refused:
		return failure.WithHint(err, "check the suite, the component and the mirror's URL, or "+mirror)
	}
	return err
}
