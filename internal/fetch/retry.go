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

// notedPause is the shortest pause that is worth a note.
const notedPause = 5 * time.Second

// Retry counts attempts, and waits between them as a client's options say. It
// is for one goroutine.
type Retry struct {
	Note func(string) // is told of long waits

	opts   Options
	busy   *busy
	url    string // for messages; "" where the caller says what was asked for
	host   string
	failed int // attempts in a row that brought nothing
	waited time.Duration
}

// Later is an error that says when to come again.
type Later interface {
	error
	RetryAfter() time.Duration // 0 where nobody said
}

// Retry begins to count the attempts for an address. Of an empty one no error says
// what was asked for.
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

// Try makes attempts until one succeeds, or no further one may, as [Retry.Again] has it.
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

// Again waits after an attempt that failed with err. It returns an error if that was
// the last: err itself unless it is a [failure.Transient] that was not given up
// yet, and an [UnreachableError] once there were attempts enough.
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
		r.Note(fmt.Sprintf("fetching %s goes on in %s: %v", r.url, pause.Round(time.Second), err))
	}
	return r.name(ctx, r.opts.Sleep(ctx, pause))
}

// next counts an attempt that failed. It says whether there is to be another, and
// after how long.
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

// Progress forgets what failed before.
func (r *Retry) Progress() { r.failed, r.waited = 0, 0 }

// passing marks what another attempt may cure, and what has not had all of them.
func passing(err error) error {
	if _, tried := errors.AsType[*UnreachableError](err); tried || err != nil && IsFinal(err) {
		return err
	}
	return failure.New(failure.Transient, err)
}

// IsPassing tells the answers that may be others in a moment, since they say nothing
// about the request itself.
func IsPassing(code int) bool {
	switch code {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	case http.StatusNotImplemented, http.StatusHTTPVersionNotSupported:
		return false
	}
	return code >= http.StatusInternalServerError
}

// jittered is a pause that differs by a quarter at most, so that what failed at once
// doesn't come again at once.
func jittered(d time.Duration) time.Duration {
	return d*3/4 + rand.N(d/2+1) //nolint:gosec // nobody gains by guessing it
}

// limited finds the limit that is used up in a RateLimit header, and when it
// is new: "resolvers";r=0;t=55, as of draft-ietf-httpapi-ratelimit-headers-09.
var limited = regexp.MustCompile(`"[^"]*"\s*;\s*r\s*=\s*0\s*;\s*t\s*=\s*(\d{1,9})(?:\D|$)`)

// RetryAfter returns how long a server asks to wait, and 0 where it doesn't say. A date
// is one of its own clock. A RateLimit header is on every answer, and says so only where
// nothing is left.
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

// busy are the hosts that ask to be left alone, by everybody.
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

// left is how long a host is to be left alone. Those who wait don't come all at once.
func (b *busy) left(host string) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	left := time.Until(b.until[host])
	if left <= 0 {
		return 0
	}
	return left + rand.N(left/4+1) //nolint:gosec // nobody gains by guessing it
}
