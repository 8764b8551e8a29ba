package debian

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"

	"lamina.build/internal/fault"
)

// StatusError is a refusal by a server.
type StatusError struct {
	URL  string
	Code int
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("%s: the server answers %d %s", e.URL, e.Code, http.StatusText(e.Code))
}

// MismatchError is a file that is not the one that was promised.
type MismatchError struct {
	URL       string
	What      string // "size" or "sha256"
	Want, Got string
}

func (e *MismatchError) Error() string {
	return fmt.Sprintf("%s: its %s is %s and not %s", e.URL, e.What, e.Got, e.Want)
}

// UnreachableError is a file that can not be had now.
type UnreachableError struct {
	URL      string
	Attempts int
	Err      error // of the last attempt
}

func (e *UnreachableError) Error() string {
	return fmt.Sprintf("fetching %s: given up after %d attempts: %v", e.URL, e.Attempts, e.Err)
}

func (e *UnreachableError) Unwrap() error { return e.Err }

// SignatureError is an index that nobody trusted has signed as it is.
type SignatureError struct {
	Subject string
	Reason  string
}

func (e *SignatureError) Error() string { return e.Subject + ": " + e.Reason }

// IsNotFound tells whether a server says that it doesn't have the file.
func IsNotFound(err error) bool {
	var status *StatusError
	return errors.As(err, &status) && (status.Code == http.StatusNotFound || status.Code == http.StatusGone)
}

// isFinal tells the errors that another attempt can not cure.
func isFinal(err error) bool {
	if status, ok := errors.AsType[*StatusError](err); ok {
		switch status.Code {
		case http.StatusTooManyRequests, http.StatusRequestTimeout:
			return false
		}
		return status.Code < 500
	}
	var mismatch *MismatchError
	var file *fs.PathError
	return errors.As(err, &mismatch) || errors.As(err, &file)
}

// explain gives an error of the network its exit code and says what helps.
func explain(err error) error {
	var unreachable *UnreachableError
	var status *StatusError
	var mismatch *MismatchError
	const mirror = "name another mirror with --debian-mirror"
	switch {
	case errors.As(err, &unreachable):
		err = fault.New(fault.Transient, err)
		return fault.WithHint(err, "check the network and HTTP_PROXY, or "+mirror)
	case errors.As(err, &mismatch):
		err = fault.New(fault.Transient, err)
		return fault.WithHint(err, "the mirror may be in the middle of an update: try again in a while, or "+mirror)
	case errors.As(err, &status):
		return fault.WithHint(err, "check the suite, the component and the mirror's URL, or "+mirror)
	}
	return err
}
