package debian

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"time"
)

// Getter fetches files from mirrors. What breaks on the way is tried again:
// answers of 5xx, cut and stalled connections. What the server refuses is not.
// The zero value of each field but Client stands for a sensible default.
type Getter struct {
	Client   *http.Client
	CacheDir string        // where files with a known hash are kept; none are without
	Attempts int           // in all; 4
	Wait     time.Duration // before the second attempt, doubled each time; 300 ms
	Stall    time.Duration // how long a connection may say nothing; 30 s
}

// NewGetter returns a Getter that honours the proxy variables of the environment.
func NewGetter(cacheDir string) *Getter {
	return &Getter{CacheDir: cacheDir, Client: &http.Client{Transport: &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		ForceAttemptHTTP2:     true,
		MaxIdleConnsPerHost:   16,
		TLSHandshakeTimeout:   15 * time.Second,
		ResponseHeaderTimeout: 30 * time.Second,
		// Else a server that labels Packages.gz as encoded has it unpacked on the
		// way, and no hash fits.
		DisableCompression: true,
	}}}
}

// Fetch returns the content of a file whose hash nobody knows yet, at most
// limit bytes of it.
func (g *Getter) Fetch(ctx context.Context, address string, limit int64) ([]byte, error) {
	var data []byte
	err := g.try(ctx, address, func(ctx context.Context) error {
		body, err := g.open(ctx, address)
		if err != nil {
			return err
		}
		defer body.Close()
		data, err = io.ReadAll(io.LimitReader(body, limit+1))
		if err == nil && int64(len(data)) > limit {
			return &MismatchError{URL: redact(address), What: "size", Want: fmt.Sprintf("at most %d", limit), Got: "more"}
		}
		return err
	})
	return data, err
}

// try runs attempt until it succeeds, fails for good, or was tried often enough.
func (g *Getter) try(ctx context.Context, address string, attempt func(context.Context) error) error {
	attempts, wait := g.Attempts, g.Wait
	if attempts == 0 {
		attempts = 4
	}
	if wait == 0 {
		wait = 300 * time.Millisecond
	}
	for n := 1; ; n++ {
		err := attempt(ctx)
		switch {
		case err == nil || isFinal(err):
			return err
		case ctx.Err() != nil:
			return fmt.Errorf("fetching %s: %w", redact(address), context.Cause(ctx))
		case n == attempts:
			return &UnreachableError{URL: redact(address), Attempts: n, Err: err}
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait << (n - 1)):
		}
	}
}

// open starts a transfer. The body ends with an error once it stalls.
func (g *Getter) open(ctx context.Context, address string) (io.ReadCloser, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	if u.Scheme == "file" {
		return openFile(u.Path)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	stall := g.Stall
	if stall == 0 {
		stall = 30 * time.Second
	}
	body := &watchedBody{cancel: cancel, stall: stall}
	body.timer = time.AfterFunc(stall, func() { cancel(errStalled) })
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		body.stop()
		return nil, err
	}
	req.Header.Set("User-Agent", "lamina")
	resp, err := g.Client.Do(req) //nolint:bodyclose // watchedBody closes it, or its stop
	if err != nil {
		body.stop()
		return nil, stallOr(ctx, err)
	}
	body.ctx, body.ReadCloser = ctx, resp.Body
	if resp.StatusCode != http.StatusOK {
		return nil, errors.Join(&StatusError{URL: redact(address), Code: resp.StatusCode}, body.Close())
	}
	return body, nil
}

// openFile opens a file of a local mirror. One that is absent is to the caller
// what a 404 is.
func openFile(name string) (io.ReadCloser, error) {
	f, err := os.Open(name) //nolint:gosec // the user named the mirror
	if errors.Is(err, os.ErrNotExist) {
		return nil, &StatusError{URL: "file://" + name, Code: http.StatusNotFound}
	}
	return f, err
}

var errStalled = errors.New("the connection stalled")

// watchedBody is a response body that fails when nothing comes for a while.
type watchedBody struct {
	io.ReadCloser
	ctx    context.Context //nolint:containedctx // it lives and ends with the body
	cancel context.CancelCauseFunc
	timer  *time.Timer
	stall  time.Duration
}

func (b *watchedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.timer.Reset(b.stall)
	if err != nil && !errors.Is(err, io.EOF) {
		err = stallOr(b.ctx, err)
	}
	return n, err
}

func (b *watchedBody) Close() error {
	err := b.ReadCloser.Close()
	b.stop()
	return err
}

func (b *watchedBody) stop() {
	b.timer.Stop()
	b.cancel(nil)
}

func stallOr(ctx context.Context, err error) error {
	if errors.Is(context.Cause(ctx), errStalled) {
		return errStalled
	}
	return err
}

func redact(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "an unreadable URL"
	}
	return u.Redacted()
}
