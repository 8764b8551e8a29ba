package registry

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"lamina.build/internal/failure"
)

// codeOf returns the status that an error is about, of the registry or of its
// token service, and 0 where it is about none.
func codeOf(err error) int {
	if status, ok := errors.AsType[*StatusError](err); ok {
		return status.Code
	}
	if status, ok := errors.AsType[*transport.Error](err); ok {
		return status.StatusCode
	}
	return 0
}

// exhaustedError is what was attempted often enough.
type exhaustedError struct{ error }

func (e *exhaustedError) Unwrap() error { return e.error }

// mayRetry tells whether another attempt is due.
func mayRetry(err error) bool {
	var exhausted *exhaustedError
	return isTransient(err) && !errors.As(err, &exhausted)
}

// lostError is a request that got no answer.
type lostError struct{ error }

func (e *lostError) Unwrap() error { return e.error }

// lost marks an error of the network. Those of whoever waits, of the body, of a
// token service that did answer and of a server that nobody trusts are others.
func lost(err error) error {
	var body *bodyError
	var plain *plainError
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
	case errors.As(err, &body), errors.As(err, &plain), errors.As(err, &certificate):
	case codeOf(err) == 0:
		return &lostError{err}
	}
	return err
}

// isTransient tells the errors that another attempt may cure, if not now.
func isTransient(err error) bool {
	_, isLost := errors.AsType[*lostError](err)
	return isLost || isBusy(codeOf(err))
}

// isBusy tells the answers that say nothing about the request itself.
func isBusy(code int) bool {
	switch code {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	case http.StatusNotImplemented, http.StatusHTTPVersionNotSupported:
		return false
	}
	return code >= 500
}

// pause counts the attempts of something, and waits between them.
type pause struct {
	opts Options
	n    int
}

func (r *Repository) pause() *pause { return &pause{opts: r.opts} }

// reset starts counting anew, because something moved.
func (p *pause) reset() { p.n = 0 }

// wait waits before the next attempt, as long as the last answer says if there
// was one. It returns an error when there is to be no other attempt.
func (p *pause) wait(ctx context.Context, last *answer, cause error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if p.n++; p.n >= p.opts.Attempts {
		return &exhaustedError{fmt.Errorf("given up after %d attempts: %w", p.n, cause)}
	}
	d := min(p.opts.Wait<<(p.n-1), p.opts.Longest)
	if after := last.retryAfter(time.Now()); after > p.opts.Longest {
		return &exhaustedError{fmt.Errorf("it is to be asked again in %s: %w", after.Round(time.Second), cause)}
	} else if after > 0 {
		d = after
	}
	return failure.Pause(ctx, d)
}

// retryAfter reads the header of that name, as of RFC 9110, section 10.2.3:
// seconds, or a date. It returns zero for what is neither.
func (a *answer) retryAfter(now time.Time) time.Duration {
	if a == nil {
		return 0
	}
	value := a.header.Get("Retry-After")
	if seconds, err := strconv.ParseInt(value, 10, 32); err == nil {
		return time.Duration(max(seconds, 0)) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(at.Sub(now), 0)
	}
	return 0
}
