package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"time"

	"lamina.build/internal/failure"
)

// notedPause is the shortest pause that is worth a note.
const notedPause = 5 * time.Second

// Ask makes a request once, and follows where it leads as [Client.Get] does. The
// last answer is returned whatever its status. It is for those who make more of
// an answer than that, and so know better what to ask for again: see [Retry].
func (c *Client) Ask(ctx context.Context, address string, header http.Header) (*http.Response, error) {
	once := *c
	once.opts.Attempts = 1
	return once.follow(ctx, address, header)
}

// Retry does something again while that may help, which is after an error that
// is a [failure.Transient], with the patience of a client. It is for one goroutine.
type Retry struct {
	Note func(string) // is told of long waits

	opts   Options
	url    string // for messages
	host   string
	failed int // attempts in a row that brought nothing
	waited time.Duration
}

// Later is an error that says when to come again.
type Later interface {
	error
	RetryAfter() time.Duration // 0 where nobody said
}

// Retry begins to count the attempts for an address.
func (c *Client) Retry(address string) *Retry {
	r := &Retry{opts: c.opts, url: Redact(address), Note: func(string) {}}
	if u, err := url.Parse(address); err == nil {
		r.host = u.Host
	}
	return r
}

// Try makes attempts until one succeeds, or no further one may. An error that
// was tried to the end is an [UnreachableError].
func (r *Retry) Try(ctx context.Context, attempt func() error) error {
	for {
		err := attempt()
		if err == nil {
			return nil
		}
		if err = r.again(ctx, err); err != nil {
			return err
		}
	}
}

// again waits after a failed attempt. It returns an error if that was the last.
func (r *Retry) again(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("fetching %s: %w", r.url, context.Cause(ctx))
	case failure.KindOf(err) != failure.Transient:
		return err
	}
	r.failed++
	pause := r.opts.Wait << min(r.failed-1, 16)
	if later, ok := errors.AsType[Later](err); ok {
		pause = max(pause, later.RetryAfter())
	}
	if r.failed >= r.opts.Attempts || r.waited+pause > r.opts.Patience {
		return failure.New(failure.Transient, &UnreachableError{URL: r.url, Host: r.host, Attempts: r.failed, Err: err})
	}
	if pause >= notedPause {
		r.Note(fmt.Sprintf("fetching %s goes on in %s: %v", r.url, pause.Round(time.Second), err))
	}
	r.waited += pause
	if err := r.opts.Sleep(ctx, pause); err != nil {
		return fmt.Errorf("fetching %s: %w", r.url, err)
	}
	return nil
}

// progress forgets what failed before.
func (r *Retry) progress() { r.failed, r.waited = 0, 0 }

// passing marks what another attempt may cure, and what has not had all of them.
func passing(err error) error {
	if _, tried := errors.AsType[*UnreachableError](err); tried || err != nil && isFinal(err) {
		return err
	}
	return failure.New(failure.Transient, err)
}

// limited finds the limit that is used up in a RateLimit header, and when it
// is new: "resolvers";r=0;t=55, as of draft-ietf-httpapi-ratelimit-headers-09.
var limited = regexp.MustCompile(`"[^"]*"\s*;\s*r\s*=\s*0\s*;\s*t\s*=\s*(\d{1,9})(?:\D|$)`)

// RetryAfter returns how long a server asks to wait, and 0 where it doesn't say.
// A RateLimit header is on every answer, and says so only where nothing is left.
func RetryAfter(h http.Header) time.Duration {
	after := h.Get("Retry-After")
	if seconds, err := strconv.ParseUint(after, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(after); err == nil {
		return max(time.Until(at), 0)
	}
	for _, line := range h.Values("RateLimit") {
		if m := limited.FindStringSubmatch(line); m != nil {
			seconds, _ := strconv.Atoi(m[1]) // nine digits
			return time.Duration(seconds) * time.Second
		}
	}
	return 0
}

// Reader reads what open opens, and has it opened again where it was each time
// it fails. Every byte that comes makes the patience new.
func (r *Retry) Reader(ctx context.Context, offset, length int64, open func(offset, length int64) (io.ReadCloser, error)) (io.ReadCloser, error) {
	s := &steady{ctx: ctx, retry: r, openAt: open, offset: offset, left: length}
	return s, s.open()
}

// steady is a body that goes on after a cut.
type steady struct {
	ctx          context.Context //nolint:containedctx // that of the file being read, as its body's would be
	retry        *Retry
	openAt       func(offset, length int64) (io.ReadCloser, error)
	offset, left int64         // left is -1 where the body alone knows
	body         io.ReadCloser // nil once it failed
}

func (s *steady) open() error {
	return s.retry.Try(s.ctx, func() (err error) {
		s.body, err = s.openAt(s.offset, s.left)
		return err
	})
}

func (s *steady) Read(p []byte) (int, error) {
	for s.left != 0 {
		if s.body == nil {
			if err := s.open(); err != nil {
				return 0, err
			}
		}
		n, err := s.read(p)
		if n > 0 || err != nil || len(p) == 0 {
			return n, err
		}
	}
	return 0, io.EOF
}

// read reads from the body there is. No bytes and no error mean that there is
// none anymore.
func (s *steady) read(p []byte) (int, error) {
	n, err := s.body.Read(p)
	if n > 0 {
		s.retry.progress()
		s.offset += int64(n)
	}
	switch {
	case s.left > 0:
		s.left -= int64(n)
	case errors.Is(err, io.EOF):
		s.left = 0
	}
	if err == nil || s.left == 0 {
		return n, nil
	}
	if err = errors.Join(err, s.drop()); n > 0 {
		return n, nil
	}
	return 0, s.retry.again(s.ctx, failure.New(failure.Transient, err))
}

// Close ends the reading for good.
func (s *steady) Close() error {
	s.openAt = func(int64, int64) (io.ReadCloser, error) { return nil, os.ErrClosed }
	return s.drop()
}

// drop closes a body that goes on no more.
func (s *steady) drop() error {
	if s.body == nil {
		return nil
	}
	err := s.body.Close()
	s.body = nil
	return err
}
