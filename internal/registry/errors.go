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

// Errors that a caller can act on.
var (
	// ErrNotFound means that the repository lacks the manifest or blob.
	ErrNotFound = errors.New("not found")
	// ErrForgotten means that the registry does not, or no longer, know the upload:
	// start a new one.
	ErrForgotten = errors.New("the registry doesn't know the upload")
	// ErrNoChunks means that the registry accepts no chunks: cancel the upload, start
	// another and use [Upload.Stream], or use [Repository.Whole].
	ErrNoChunks = errors.New("the registry accepts no chunks")
	// ErrCorrupt means that the content of a finished upload differs from its digest:
	// start a new one.
	ErrCorrupt = errors.New("the registry has different bytes from those sent")
)

// OffsetError reports an upload that is at another offset than the caller assumed,
// and that can be resumed.
type OffsetError struct {
	Offset int64 // the next byte to send, same as [Upload.Offset]
}

func (e *OffsetError) Error() string {
	return fmt.Sprintf("the registry expects byte %d of the upload next", e.Offset)
}

// TooLargeError is a layer that the registry refuses because of its size.
type TooLargeError struct {
	Registry string
	Bytes    int64 // of the layer
	Partial  bool  // the layer is larger: Bytes were accepted before it was refused
}

func (e *TooLargeError) Error() string {
	size := humanize.Size(e.Bytes)
	if e.Partial {
		size = "more than " + size
	}
	return fmt.Sprintf("a layer of %s is too large for %s, or for a proxy in front of it", size, e.Registry)
}

// Hint returns what to do about it.
func (e *TooLargeError) Hint() string {
	return "raise the limit of the proxy or the registry (nginx: client_max_body_size), or choose another registry"
}

// StatusError is an unsuccessful answer of the registry.
type StatusError struct {
	Method  string
	URL     string // without secrets
	Code    int
	Message string        // the registry's reason; may be empty
	After   time.Duration // when to retry; 0 if the registry doesn't say
}

// RetryAfter implements [fetch.Later].
func (e *StatusError) RetryAfter() time.Duration { return e.After }

func (e *StatusError) Error() string {
	text := fmt.Sprintf("%s %s: the registry answers %d %s", e.Method, e.URL, e.Code, http.StatusText(e.Code))
	if e.Message != "" {
		text += ": " + e.Message
	}
	if e.After > 0 {
		text += fmt.Sprintf(" (retry in %s)", e.After.Round(time.Second))
	}
	return text
}

// codeOf returns the status in an error of the registry or of its token service,
// and 0 if it has none.
func codeOf(err error) int {
	if status, ok := errors.AsType[*StatusError](err); ok {
		return status.Code
	}
	if status, ok := errors.AsType[*transport.Error](err); ok {
		return status.StatusCode
	}
	return 0
}

// isRefused reports whether a status refuses the caller's identity.
func isRefused(code int) bool { return code == http.StatusUnauthorized || code == http.StatusForbidden }

// lost returns the error of a request that got no answer, of the kind
// [failure.Transient] if another attempt may get one.
func lost(ctx context.Context, err error) error {
	if unreachable, ok := errors.AsType[*fetch.UnreachableError](err); ok {
		err = unreachable.Err
	}
	code := codeOf(err) // of a token service that answered
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case code == 0 && !fetch.IsFinal(err), fetch.IsPassing(code):
		return failure.New(failure.Transient, err)
	}
	return err
}

// mayRetry reports whether another attempt makes sense.
func mayRetry(err error) bool {
	_, exhausted := errors.AsType[*fetch.UnreachableError](err)
	return failure.KindOf(err) == failure.Transient && !exhausted
}

// wantsToKnow reports whether a registry requires a client certificate that we didn't present.
func wantsToKnow(err error) bool {
	remote, ok := errors.AsType[*net.OpError](err)
	if !ok || remote.Op != "remote error" {
		return false
	}
	said := remote.Err.Error() // crypto/tls doesn't export the type
	return strings.Contains(said, "certificate required") || strings.Contains(said, "bad certificate")
}

// explain gives an error its exit code and hint.
func (r *Repository) explain(err error) error {
	host := r.name.RegistryStr()
	dns, isDNS := errors.AsType[*net.DNSError](err)
	switch code := codeOf(err); {
	case err == nil:
		return nil
	case isFull(code, err.Error()):
		return failure.WithHint(err, hintOf(code, err.Error()))
	case code == http.StatusUnauthorized:
		return failure.New(failure.Usage, failure.WithHint(err, "log in with docker login "+host+" or podman login, as the user who runs this"))
	case code == http.StatusForbidden:
		may := "push to "
		if r.opts.ReadOnly {
			may = "pull from "
		}
		return failure.New(failure.Usage, failure.WithHint(err, "log in with docker login "+host+" as a user who may "+may+r.name.RepositoryStr()))
	case code == http.StatusNotFound && !errors.Is(err, ErrForgotten) && !errors.Is(err, ErrNoChunks):
		return failure.WithHint(err, "check the name; some registries require a repository to be created first")
	case fetch.IsUntrusted(err):
		return failure.New(failure.Usage, failure.WithHint(err, fetch.UntrustedHint(err, "trust the certificate's issuer (SSL_CERT_FILE, or ca.crt in /etc/docker/certs.d/"+host+"), or pass --insecure-registry")))
	case wantsToKnow(err):
		return failure.New(failure.Usage, failure.WithHint(err, "the registry requires a client certificate: put client.cert and client.key into /etc/docker/certs.d/"+host))
	case errors.Is(err, errPlain), code == 0 && fetch.IsPlain(err):
		return failure.New(failure.Usage, failure.WithHint(err, "if the registry uses plain HTTP, pass --insecure-registry"))
	case isDNS && dns.IsNotFound:
		return failure.New(failure.Transient, failure.WithHint(err, "check the name of the registry and the network"))
	case hintOf(code, err.Error()) != "" && !fetch.IsPassing(code) || strings.Contains(err.Error(), "no space left"):
		return failure.WithHint(err, hintOf(code, err.Error()))
	case failure.KindOf(err) == failure.Transient:
		hint := "check the network and HTTPS_PROXY, then run it again"
		if !r.opts.ReadOnly {
			hint += ": what the registry already has is not sent again"
		}
		return failure.WithHint(err, hint)
	}
	return err
}
