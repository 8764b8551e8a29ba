package debian

import (
	"errors"
	"net/http"

	"lamina.build/internal/failure"
	"lamina.build/internal/fetch"
)

// signatureError is an index that nobody trusted has signed as it is.
type signatureError struct{ subject, reason string }

func (e *signatureError) Error() string { return e.subject + ": " + e.reason }

// IsNotFound tells whether a server says that it doesn't have the file.
func IsNotFound(err error) bool {
	status, ok := errors.AsType[*fetch.StatusError](err)
	return ok && (status.Code == http.StatusNotFound || status.Code == http.StatusGone)
}

// isUnreachable tells whether a file can not be had from here, or not now.
func isUnreachable(err error) bool {
	_, proxy := errors.AsType[*fetch.ProxyError](err)
	return proxy || fetch.IsUntrusted(err) || failure.KindOf(fetch.Explain(err)) == failure.Transient
}

// isChanged tells a file that became another one while it came.
func isChanged(err error) bool {
	_, ok := errors.AsType[*fetch.ChangedError](err)
	return ok
}

// explain gives an error of the network its exit code and says what helps.
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
		return failure.WithHint(err, "the mirror may be in the middle of an update: try again in a while, or "+mirror)
	case refused:
		return failure.WithHint(err, "check the suite, the component and the mirror's URL, or "+mirror)
	}
	return err
}
