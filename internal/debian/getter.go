package debian

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"

	"lamina.build/internal/fetch"
)

// Getter fetches files from mirrors, or takes them from folders that are ones.
type Getter struct {
	HTTP     *fetch.Client
	CacheDir string // where files with a known hash are kept; none are without
}

// NewGetter returns a Getter that honours the proxy variables of the environment.
func NewGetter(cacheDir string) *Getter {
	return &Getter{HTTP: fetch.New(fetch.Options{}), CacheDir: cacheDir}
}

// Fetch returns the content of a file whose hash nobody knows yet, at most
// limit bytes of it.
func (g *Getter) Fetch(ctx context.Context, address string, limit int64) ([]byte, error) {
	body, err := g.open(ctx, address)
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

// open opens a file of a server, or of a local mirror. One that is absent there
// is to the caller what a 404 is.
func (g *Getter) open(ctx context.Context, address string) (io.ReadCloser, error) {
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
