package registry

import (
	"errors"
	"fmt"
	"net/http"
	"slices"

	"lamina.build/internal/humanize"
)

// The errors that a caller can do something about.
var (
	// ErrNotFound is a manifest or a blob that the repository doesn't have.
	ErrNotFound = errors.New("not found")
	// ErrForgotten is an upload that the registry doesn't know, any more or at
	// all: start a new one.
	ErrForgotten = errors.New("the registry doesn't know the upload")
	// ErrNoChunks is a registry that takes no chunks: cancel the upload, start
	// another and use [Upload.Stream], or use [Repository.Whole].
	ErrNoChunks = errors.New("the registry takes no chunks")
	// ErrCorrupt is a finished upload whose bytes aren't those of the digest:
	// start a new one.
	ErrCorrupt = errors.New("the registry has other bytes than were sent")
)

// OffsetError is an upload of which the registry has other bytes than the
// caller believed, and that can go on.
type OffsetError struct {
	Offset int64 // the next byte to send, as [Upload.Offset] says, too
}

func (e *OffsetError) Error() string {
	return fmt.Sprintf("the registry wants byte %d of the upload next", e.Offset)
}

// TooLargeError is a layer that the registry refuses for its size.
type TooLargeError struct {
	Registry string
	Bytes    int64 // of the layer
	Partial  bool  // the layer has more: Bytes were taken before it was refused
}

func (e *TooLargeError) Error() string {
	size := humanize.Size(e.Bytes)
	if e.Partial {
		size = "more than " + size
	}
	return fmt.Sprintf("a layer of %s is too large for %s, or for a proxy before it", size, e.Registry)
}

// Hint says what helps.
func (e *TooLargeError) Hint() string {
	return "raise the limit of the proxy or the registry (nginx: client_max_body_size), or choose another registry"
}

// StatusError is an answer of the registry that is no success.
type StatusError struct {
	Method  string
	URL     string // without what is secret in it
	Code    int
	Message string // what the registry says about it; may be empty
}

func (e *StatusError) Error() string {
	text := fmt.Sprintf("%s %s: the registry answers %d %s", e.Method, e.URL, e.Code, http.StatusText(e.Code))
	if e.Message != "" {
		text += ": " + e.Message
	}
	return text
}

// hasStatus tells whether err is an answer of one of the codes.
func hasStatus(err error, codes ...int) bool {
	status, ok := errors.AsType[*StatusError](err)
	return ok && slices.Contains(codes, status.Code)
}

// isRefused tells the answers about who is asking.
func isRefused(code int) bool { return code == http.StatusUnauthorized || code == http.StatusForbidden }
