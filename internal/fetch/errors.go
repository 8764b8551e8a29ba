package fetch

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"lamina.build/internal/failure"
)

// StatusError is an unsuccessful answer.
type StatusError struct {
	URL  string // as [Redact] returns it
	Host string // with its port, if any
	Code int

	After    time.Duration // when to retry; 0 if the server doesn't say
	LoggedIn bool          // a login was sent
	Withheld bool          // there is one, but [Anonymous] withholds it
}

// Refusal returns the error of an unsuccessful answer.
func (c *Client) Refusal(resp *http.Response) *StatusError {
	u := resp.Request.URL
	_, _, known := c.opts.Logins(u)
	return &StatusError{
		URL: Redact(u.String()), Host: u.Host, Code: resp.StatusCode,
		After: RetryAfter(resp.Header), LoggedIn: resp.Request.Header.Get("Authorization") != "", Withheld: known && isAnonymous(resp.Request.Context()),
	}
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("%s answers %d to %s", e.Host, e.Code, e.URL)
}

// RetryAfter implements [Later].
func (e *StatusError) RetryAfter() time.Duration { return e.After }

// UnreachableError is a request that got no answer in any attempt.
type UnreachableError struct {
	URL      string // as [Redact] returns it; may be empty
	Host     string
	Attempts int
	Err      error // of the last one
}

func (e *UnreachableError) Error() string {
	var text string
	if e.URL != "" {
		text = "fetching " + e.URL + ": "
	}
	if e.Attempts > 1 {
		text += fmt.Sprintf("gave up after %d attempts: ", e.Attempts)
	}
	return text + e.Err.Error()
}

// Unwrap returns the error of the last attempt.
func (e *UnreachableError) Unwrap() error { return e.Err }

// ProxyError is a proxy that refuses a request.
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
	return fmt.Sprintf("%s redirects to %s: %s", e.From, e.To, e.Reason)
}

// ChangedError is a file that changed while it was read.
type ChangedError struct{ URL string }

func (e *ChangedError) Error() string { return e.URL + " changed while it was read" }

// SizeError is an answer with more bytes than were expected.
type SizeError struct {
	URL   string
	Limit int64
}

func (e *SizeError) Error() string { return fmt.Sprintf("%s has more than %d bytes", e.URL, e.Limit) }

// IsUntrusted reports whether the server's certificate is not trusted on this machine.
func IsUntrusted(err error) bool {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	_, authority := errors.AsType[x509.UnknownAuthorityError](err)
	_, name := errors.AsType[x509.HostnameError](err)
	_, invalid := errors.AsType[x509.CertificateInvalidError](err)
	return authority || name || invalid
}

// UntrustedHint returns the hint for an error that [IsUntrusted] reports: usual, unless the
// certificate isn't valid at this time.
func UntrustedHint(err error, usual string) string {
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		return "check the clock of this machine, and the dates of the server's certificate"
	}
	return usual
}

// IsPlain reports whether a server answered plain HTTP instead of TLS.
func IsPlain(err error) bool {
	record, ok := errors.AsType[tls.RecordHeaderError](err)
	return errors.Is(err, http.ErrSchemeMismatch) || ok && string(record.RecordHeader[:]) == "HTTP/"
}

// IsFinal reports whether no further attempt can help. Errors of the kind
// [failure.Usage] are final.
func IsFinal(err error) bool {
	if proxy, ok := errors.AsType[*ProxyError](err); ok {
		return !IsPassing(proxy.Code)
	}
	_, guarded := errors.AsType[*GuardError](err)
	_, changed := errors.AsType[*ChangedError](err)
	_, status := errors.AsType[*StatusError](err)
	_, redirect := errors.AsType[*RedirectError](err)
	_, body := errors.AsType[*bodyError](err)
	return guarded || changed || status || redirect || body || IsUntrusted(err) || IsPlain(err) || failure.KindOf(err) == failure.Usage
}

// isOfProxy reports whether a proxy can't be reached, or refuses.
func isOfProxy(err error) bool {
	if _, ok := errors.AsType[*ProxyError](err); ok {
		return true
	}
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "proxyconnect"
}

// MismatchError is a file that isn't the expected one.
type MismatchError struct {
	URL       string // as [Redact] returns it
	What      string // what differs, such as "size" or "sha256"
	Want, Got string
}

func (e *MismatchError) Error() string {
	return fmt.Sprintf("%s: its %s is %s and not %s", e.URL, e.What, e.Got, e.Want)
}

// Explain gives an error of this package its kind, and a hint for the user. It returns
// other errors unchanged.
func Explain(err error) error {
	if status, ok := errors.AsType[*StatusError](err); ok {
		return status.explain(err)
	}
	_, unreachable := errors.AsType[*UnreachableError](err)
	_, guarded := errors.AsType[*GuardError](err)
	switch {
	case err == nil:
		return nil
	case guarded:
		return failure.New(failure.Usage, err)
	case IsUntrusted(err):
		err = fmt.Errorf("its certificate is not trusted here: %w", err)
		return failure.WithHint(err, UntrustedHint(err,
			"if a proxy intercepts TLS, or the server is your own, add its authority to the system's certificate store, or to a file that SSL_CERT_FILE names"))
	case isOfProxy(err):
		if unreachable {
			err = failure.New(failure.Transient, err)
		}
		return failure.WithHint(err, "check HTTPS_PROXY and NO_PROXY, and the login in it")
	case unreachable:
		return failure.WithHint(failure.New(failure.Transient, err), "check the network, the name of the host, and HTTPS_PROXY")
	}
	return err
}

// withoutPort returns a host as in a .netrc.
func withoutPort(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return host
}

func (e *StatusError) explain(err error) error {
	switch {
	case e.Code == http.StatusUnauthorized || e.Code == http.StatusForbidden:
		return e.ofLogin(err)
	case e.Code == http.StatusProxyAuthRequired:
		return failure.WithHint(err, "check HTTPS_PROXY and NO_PROXY, and the login in it")
	case e.Code == http.StatusNotFound || e.Code == http.StatusGone:
		return failure.WithHint(failure.New(failure.Usage, err), "check the address: its server has nothing there")
	case IsPassing(e.Code):
		return failure.WithHint(failure.New(failure.Transient, err), "try again later")
	}
	return err
}

// ofLogin distinguishes a missing login, a wrong one, and one that Lamina withholds.
func (e *StatusError) ofLogin(err error) error {
	host := withoutPort(e.Host)
	why, hint := "it requires a login, but none was sent", "put a login for "+host+" into ~/.netrc"
	switch {
	case e.LoggedIn:
		why, hint = "it rejects the login", "check the login for "+host+" in ~/.netrc, or in the address of its index, and what it may read"
	case e.Withheld:
		why = "it requires a login, but Lamina sends none to this address"
		hint = "a login for " + host + " goes to what a requirement or a constraint names: NAME @ git+https://… for a submodule"
	}
	return failure.WithHint(failure.New(failure.Usage, fmt.Errorf("%w: %s", err, why)), hint)
}

// Redact returns an address that is safe to print: without a login, a fragment, and the
// values of a query, which may be a signature.
func Redact(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "an unreadable URL"
	}
	u.User = nil
	u.Fragment, u.RawFragment = "", ""
	if u.RawQuery != "" {
		u.RawQuery = "…"
	}
	return u.String()
}
