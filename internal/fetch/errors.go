package fetch

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
)

// StatusError is an answer that is not what was asked for.
type StatusError struct {
	URL  string // as [Redact] returns it
	Host string // with its port if it has one
	Code int

	LoggedIn bool // a login was sent
	Withheld bool // there is one, and [Anonymous] keeps it
}

// Refusal is the error of an answer that is not what was asked for.
func (c *Client) Refusal(resp *http.Response) *StatusError {
	u := resp.Request.URL
	_, _, known := c.opts.Logins(u.Hostname())
	return &StatusError{
		URL: Redact(u.String()), Host: u.Host, Code: resp.StatusCode,
		LoggedIn: resp.Request.Header.Get("Authorization") != "", Withheld: known && isAnonymous(resp.Request.Context()),
	}
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("%s answers %d to %s", e.Host, e.Code, e.URL)
}

// UnreachableError is a request that no attempt got an answer to.
type UnreachableError struct {
	URL      string // as [Redact] returns it
	Host     string
	Attempts int
	Err      error // of the last one
}

func (e *UnreachableError) Error() string {
	if e.Attempts <= 1 {
		return fmt.Sprintf("fetching %s: %v", e.URL, e.Err)
	}
	return fmt.Sprintf("fetching %s: given up after %d attempts: %v", e.URL, e.Attempts, e.Err)
}

// Unwrap returns the error of the last attempt.
func (e *UnreachableError) Unwrap() error { return e.Err }

// ProxyError is a proxy that doesn't let a request through.
type ProxyError struct {
	Host string
	Code int
}

func (e *ProxyError) Error() string { return fmt.Sprintf("proxy %s answers %d", e.Host, e.Code) }

// RedirectError is a redirect that is not followed.
type RedirectError struct {
	From, To string // as [Redact] returns them
	Reason   string
}

func (e *RedirectError) Error() string {
	return fmt.Sprintf("%s leads to %s: %s", e.From, e.To, e.Reason)
}

// ChangedError is a file that became another one while it was read.
type ChangedError struct{ URL string }

func (e *ChangedError) Error() string { return e.URL + " changed while it was read" }

// SizeError is an answer with more bytes than were expected.
type SizeError struct {
	URL   string
	Limit int64
}

func (e *SizeError) Error() string { return fmt.Sprintf("%s has more than %d bytes", e.URL, e.Limit) }

// IsUntrusted tells a server whose certificate nobody on this machine vouches for.
func IsUntrusted(err error) bool {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	_, authority := errors.AsType[x509.UnknownAuthorityError](err)
	_, name := errors.AsType[x509.HostnameError](err)
	_, invalid := errors.AsType[x509.CertificateInvalidError](err)
	return authority || name || invalid
}

// isFinal tells the errors that no further attempt cures.
func isFinal(err error) bool {
	if proxy, ok := errors.AsType[*ProxyError](err); ok {
		return !isPassing(proxy.Code)
	}
	_, guarded := errors.AsType[*GuardError](err)
	_, changed := errors.AsType[*ChangedError](err)
	_, status := errors.AsType[*StatusError](err)
	_, redirect := errors.AsType[*RedirectError](err)
	return guarded || changed || status || redirect || IsUntrusted(err)
}

// isOfProxy tells a proxy that can't be reached, or refuses.
func isOfProxy(err error) bool {
	if _, ok := errors.AsType[*ProxyError](err); ok {
		return true
	}
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "proxyconnect"
}

// MismatchError is a file that is not the one that was promised.
type MismatchError struct {
	URL       string // as [Redact] returns it
	What      string // that differs, such as "size" or "sha256"
	Want, Got string
}

func (e *MismatchError) Error() string {
	return fmt.Sprintf("%s: its %s is %s and not %s", e.URL, e.What, e.Got, e.Want)
}
