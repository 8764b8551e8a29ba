package registry

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"lamina.build/internal/failure"
	"lamina.build/internal/fetch"
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
	Message string        // what the registry says about it; may be empty
	After   time.Duration // when to ask again; 0 where it doesn't say
}

// RetryAfter implements [fetch.Later].
func (e *StatusError) RetryAfter() time.Duration { return e.After }

func (e *StatusError) Error() string {
	text := fmt.Sprintf("%s %s: the registry answers %d %s", e.Method, e.URL, e.Code, http.StatusText(e.Code))
	if e.Message != "" {
		text += ": " + e.Message
	}
	if e.After > 0 {
		text += fmt.Sprintf(" (it is to be asked again in %s)", e.After.Round(time.Second))
	}
	return text
}

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

// isRefused tells the answers about who is asking.
func isRefused(code int) bool { return code == http.StatusUnauthorized || code == http.StatusForbidden }

// lost is the error of a request that got no answer: of the kind [failure.Transient]
// where another attempt may.
func lost(ctx context.Context, err error) error {
	if unreachable, ok := errors.AsType[*fetch.UnreachableError](err); ok {
		err = unreachable.Err
	}
	code := codeOf(err) // of a token service that did answer
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case code == 0 && !fetch.IsFinal(err), fetch.IsPassing(code):
		return failure.New(failure.Transient, err)
	}
	return err
}

// mayRetry tells whether another attempt is due.
func mayRetry(err error) bool {
	_, exhausted := errors.AsType[*fetch.UnreachableError](err)
	return failure.KindOf(err) == failure.Transient && !exhausted
}

// wantsToKnow tells a registry that knows its clients by their certificates, and not us.
func wantsToKnow(err error) bool {
	remote, ok := errors.AsType[*net.OpError](err)
	if !ok || remote.Op != "remote error" {
		return false
	}
	said := remote.Err.Error() // crypto/tls keeps the type to itself
	return strings.Contains(said, "certificate required") || strings.Contains(said, "bad certificate")
}

// explain gives an error its exit code and says what helps.
func (r *Repository) explain(err error) error {
	host := r.name.RegistryStr()
	dns, isDNS := errors.AsType[*net.DNSError](err)
	switch code := codeOf(err); {
	case err == nil:
		return nil
	case isFull(code, err.Error()):
		return failure.WithHint(err, hintOf(code, err.Error()))
	case code == http.StatusUnauthorized:
		return failure.New(failure.Usage, failure.WithHint(err, "log in with docker login "+host+", or podman login"))
	case code == http.StatusForbidden:
		may := "push to "
		if r.opts.ReadOnly {
			may = "pull from "
		}
		return failure.New(failure.Usage, failure.WithHint(err, "log in with docker login "+host+" as someone who may "+may+r.name.RepositoryStr()))
	case code == http.StatusNotFound && !errors.Is(err, ErrForgotten) && !errors.Is(err, ErrNoChunks):
		return failure.WithHint(err, "check the name; some registries have repositories only once they are created there")
	case fetch.IsUntrusted(err):
		return failure.New(failure.Usage, failure.WithHint(err, fetch.UntrustedHint(err, "trust the certificate's issuer (SSL_CERT_FILE, or ca.crt in /etc/docker/certs.d/"+host+"), or say --insecure-registry")))
	case wantsToKnow(err):
		return failure.New(failure.Usage, failure.WithHint(err, "the registry wants a client's certificate: put client.cert and client.key into /etc/docker/certs.d/"+host))
	case errors.Is(err, errPlain), code == 0 && fetch.IsPlain(err):
		return failure.New(failure.Usage, failure.WithHint(err, "if the registry speaks plain HTTP, say --insecure-registry"))
	case isDNS && dns.IsNotFound:
		return failure.New(failure.Transient, failure.WithHint(err, "check the name of the registry and the network"))
	case hintOf(code, err.Error()) != "" && !fetch.IsPassing(code) || strings.Contains(err.Error(), "no space left"):
		return failure.WithHint(err, hintOf(code, err.Error()))
	case failure.KindOf(err) == failure.Transient:
		hint := "check the network and HTTPS_PROXY, then run it again"
		if !r.opts.ReadOnly {
			hint += ": what the registry has is not sent twice"
		}
		return failure.WithHint(err, hint)
	}
	return err
}
