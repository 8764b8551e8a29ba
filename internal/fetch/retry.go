package fetch

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"sync"
	"time"

	"lamina.build/internal/failure"
)

// notedPause is the shortest pause that is reported.
const notedPause = 5 * time.Second

// Retry counts attempts, and waits between them according to a client's options. It is
// not safe for concurrent use.
type Retry struct {
	Note func(string) // is told about long waits

	opts   Options
	busy   *busy
	url    string // for messages; "" if the caller names the request
	host   string
	failed int // consecutive attempts without progress
	waited time.Duration
}

// Later is an error that states when to retry.
type Later interface {
	error
	RetryAfter() time.Duration // 0 if not stated
}

// Retry starts counting the attempts at an address. If it is empty, errors don't name the
// request.
func (c *Client) Retry(address string) *Retry {
	r := &Retry{opts: c.opts, busy: c.busy, Note: func(string) {}}
	if address == "" {
		return r
	}
	r.url = Redact(address)
	if u, err := url.Parse(address); err == nil {
		r.host = u.Host
	}
	return r
}

// Try makes attempts until one succeeds or [Retry.Again] ends them.
func (r *Retry) Try(ctx context.Context, attempt func() error) error {
	for {
		err := attempt()
		if err == nil {
			return nil
		}
		if err = r.Again(ctx, err); err != nil {
			return err
		}
	}
}

// Again waits after an attempt that failed with err. It returns an error if there must be
// no further one: err itself unless it is a [failure.Transient] that isn't yet an
// [UnreachableError], and an [UnreachableError] if no attempt is left.
func (r *Retry) Again(ctx context.Context, err error) error {
	_, tried := errors.AsType[*UnreachableError](err)
	switch {
	case ctx.Err() != nil:
		return r.name(ctx, err)
	case failure.KindOf(err) != failure.Transient, tried:
		return err
	}
	pause, again := r.next(err)
	if !again {
		return failure.New(failure.Transient, &UnreachableError{URL: r.url, Host: r.host, Attempts: r.failed, Err: err})
	}
	if pause >= notedPause {
		r.Note(fmt.Sprintf("fetching %s: retrying in %s: %v", r.url, pause.Round(time.Second), err))
	}
	return r.name(ctx, r.opts.Sleep(ctx, pause))
}

// next counts a failed attempt. It reports whether to make another, and after which
// pause.
func (r *Retry) next(err error) (pause time.Duration, again bool) {
	r.failed++
	wait, asked := r.opts.Wait, time.Duration(0)
	if later, ok := errors.AsType[Later](err); ok {
		asked = later.RetryAfter()
	}
	status, isStatus := errors.AsType[*StatusError](err)
	if isStatus && status.Code == http.StatusTooManyRequests {
		wait, asked = max(wait, time.Second*3/2), max(asked, time.Second) // a second, however it is jittered
	}
	pause = max(jittered(wait<<min(r.failed-1, 16)), asked)
	if r.failed >= r.opts.Attempts || r.waited+pause > r.opts.MaxRetryWait {
		return 0, false
	}
	r.waited += pause
	if isStatus && asked > 0 {
		r.busy.leave(status.Host, pause)
		pause = r.busy.left(status.Host)
	}
	return pause, true
}

// Progress resets the count of failures.
func (r *Retry) Progress() { r.failed, r.waited = 0, 0 }

// passing marks errors that another attempt may fix, unless all attempts were made.
func passing(err error) error {
	if _, tried := errors.AsType[*UnreachableError](err); tried || err != nil && IsFinal(err) {
		return err
	}
	return failure.New(failure.Transient, err)
}

// IsPassing reports whether a status may change soon, since it says nothing about the
// request itself.
func IsPassing(code int) bool {
	switch code {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	case http.StatusNotImplemented, http.StatusHTTPVersionNotSupported:
		return false
	}
	return code >= http.StatusInternalServerError
}

// jittered varies a pause by at most a quarter, so that simultaneous failures aren't
// retried simultaneously.
func jittered(d time.Duration) time.Duration {
	return d*3/4 + rand.N(d/2+1) //nolint:gosec // not secret
}

// limited finds the exhausted limit of a RateLimit header, and when it resets:
// "resolvers";r=0;t=55, as of draft-ietf-httpapi-ratelimit-headers-09.
var limited = regexp.MustCompile(`"[^"]*"\s*;\s*r\s*=\s*0\s*;\s*t\s*=\s*(\d{1,9})(?:\D|$)`)

// RetryAfter returns how long a server asks to wait, and 0 if it doesn't say. A date is
// relative to the server's clock. A RateLimit header is on every answer, and counts only
// if nothing is left.
func RetryAfter(h http.Header) time.Duration {
	after := h.Get("Retry-After")
	if seconds, err := strconv.ParseUint(after, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(after); err == nil {
		now, err := http.ParseTime(h.Get("Date"))
		if err != nil {
			now = time.Now()
		}
		return max(at.Sub(now), 0)
	}
	for _, line := range h.Values("RateLimit") {
		if m := limited.FindStringSubmatch(line); m != nil {
			seconds, _ := strconv.Atoi(m[1]) // nine digits
			return time.Duration(seconds) * time.Second
		}
	}
	return 0
}

// busy has the hosts that no request may go to for a while.
type busy struct {
	mu    sync.Mutex
	until map[string]time.Time
}

func (b *busy) leave(host string, d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if at := time.Now().Add(d); at.After(b.until[host]) {
		b.until[host] = at
	}
}

// left returns how long to wait for a host, jittered so that waiters don't return all at once.
func (b *busy) left(host string) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	left := time.Until(b.until[host])
	if left <= 0 {
		return 0
	}
	return left + rand.N(left/4+1) //nolint:gosec // not secret
}
