package hub

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"

	"lamina.build/internal/fault"
)

// MismatchError is a file that is not the one that was promised.
type MismatchError struct {
	URL       string
	What      string // "size", "sha256" or "git hash"
	Want, Got string
}

func (e *MismatchError) Error() string {
	return fmt.Sprintf("%s: its %s is %s and not %s", e.URL, e.What, e.Got, e.Want)
}

// Hint says what helps.
func (e *MismatchError) Hint() string {
	return "a proxy may alter it, or its server may have replaced it: compare before you lock anew"
}

// AnswerError is an answer that is not one to what was asked.
type AnswerError struct {
	URL    string
	Reason string
}

func (e *AnswerError) Error() string { return e.URL + ": " + e.Reason }

// UnreachableError is a file that can not be had now.
type UnreachableError struct {
	URL      string
	Attempts int   // in a row that brought nothing
	Err      error // of the last one
}

func (e *UnreachableError) Error() string {
	return fmt.Sprintf("fetching %s: given up after %d attempts: %v", e.URL, e.Attempts, e.Err)
}

// Unwrap returns the error of the last attempt.
func (e *UnreachableError) Unwrap() error { return e.Err }

// errStalled says that nothing came for as long as [Options.Stall].
var errStalled = errors.New("the connection stalled")

// broken is what an error of the network means. Those of net/http quote the
// address, in which a signature may be.
func broken(err error) error {
	host := "the server"
	if failed, ok := errors.AsType[*url.Error](err); ok {
		if u, parseErr := url.Parse(failed.URL); parseErr == nil {
			host = u.Host
		}
		err = failed.Err
	}
	err = fmt.Errorf("asking %s: %w", host, err)
	if isUntrusted(err) {
		return fault.WithHint(err, "a proxy that reads TLS needs its certificate on this machine, or SSL_CERT_FILE")
	}
	return fault.WithHint(fault.New(fault.Transient, err), "check the network, HTTPS_PROXY and HF_ENDPOINT")
}

func isUntrusted(err error) bool {
	_, ok := errors.AsType[*tls.CertificateVerificationError](err)
	return ok
}

// isPassing tells the errors that another attempt may cure.
func isPassing(err error) bool {
	if refused, ok := errors.AsType[*RefusedError](err); ok {
		return refused.Reason == Busy || refused.Reason == Down || refused.Reason == Expired
	}
	var mismatch *MismatchError
	var answer *AnswerError
	return !errors.As(err, &mismatch) && !errors.As(err, &answer) && !isUntrusted(err)
}
