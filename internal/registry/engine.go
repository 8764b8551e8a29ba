package registry

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"lamina.build/internal/failure"
	"lamina.build/internal/fetch"
)

// Diagnose asks a registry for the right to push what an engine could not, and begins an
// upload. Where the registry refuses either, it says why, which an engine does not tell.
func Diagnose(ctx context.Context, reference string, o Options) error {
	o.HTTP.Attempts = 1
	r, err := Open(ctx, reference, o)
	if err != nil {
		return err
	}
	u, err := r.Start(ctx)
	if err == nil {
		u.Cancel(ctx)
	}
	return err
}

var (
	// An engine's words for an answer that is no success, and for one that asks who we are.
	engineStatus  = regexp.MustCompile(`unexpected status from (\w+) request to (\S+): (\d{3})\b`)
	engineCode    = regexp.MustCompile(`: (denied|unauthorized|unsupported|toomanyrequests|unavailable|unknown): `)
	engineRefusal = regexp.MustCompile(`insufficient_scope|authorization failed|no basic auth credentials|failed to (authorize|fetch (oauth|anonymous) token)|access denied`)
	engineAddress = regexp.MustCompile(`https?://[^\s"]+`)
)

// engineError is one of an engine about a registry, without addresses that are secret.
type engineError struct{ error }

func (e *engineError) Error() string { return WithoutUploads(e.error.Error()) }

// WithoutUploads is what an engine says of registries, without what entitles to go on with
// an upload.
func WithoutUploads(said string) string {
	return engineAddress.ReplaceAllStringFunc(said, func(found string) string {
		text := strings.TrimRight(found, ":,;")
		return withoutUpload(text) + found[len(text):]
	})
}

func (e *engineError) Unwrap() error { return e.error }

// withoutUpload is an address without what entitles to go on with an upload.
func withoutUpload(text string) string {
	u, err := url.Parse(fetch.Redact(text))
	if err != nil {
		return "an unreadable URL"
	}
	u.RawQuery = ""
	if at := strings.Index(u.Path, "/blobs/uploads/"); at >= 0 {
		u.Path, u.RawPath = u.Path[:at]+"/blobs/uploads/", ""
	}
	return u.String()
}

// ExplainEngine gives what an engine says about a registry its kind and what helps, as our
// own client has them. An engine tells of registries in text alone.
func ExplainEngine(err error) error {
	if err == nil {
		return nil
	}
	code, text := 0, err.Error()
	if found := engineStatus.FindStringSubmatch(text); found != nil {
		code, _ = strconv.Atoi(found[3])
	} else if found = engineCode.FindStringSubmatch(text); found != nil {
		code = cmp.Or(map[string]int{
			"denied": http.StatusForbidden, "unauthorized": http.StatusUnauthorized, "unsupported": http.StatusMethodNotAllowed,
			"toomanyrequests": http.StatusTooManyRequests,
		}[found[1]], http.StatusInternalServerError)
	} else if engineRefusal.MatchString(text) {
		code = http.StatusUnauthorized
	}
	err = &engineError{err}
	if len(failure.Hints(err)) > 0 && code == 0 {
		return err
	}
	kind := failure.KindOf(err)
	switch {
	case isFull(code, text):
	case isRefused(code):
		kind = failure.Usage
	case fetch.IsPassing(code):
		kind = failure.Transient
	}
	if kind != failure.KindOf(err) {
		err = failure.New(kind, err)
	}
	return failure.WithHint(err, hintOf(code, text))
}

// isFull tells a quota that is used up.
func isFull(code int, said string) bool {
	return code == http.StatusInsufficientStorage || code != 0 && strings.Contains(strings.ToLower(said), "quota")
}

// hintOf is what helps where a registry answers with a status and says something about it.
func hintOf(code int, said string) string {
	said = strings.ToLower(said)
	has := func(words ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(said, w) })
	}
	switch {
	case isFull(code, said):
		return "the registry's quota is used up: remove images there, or ask who runs it for more"
	case has("no space left"):
		return "the registry's disk is full: whoever runs it has to make room"
	case has("read-only", "read only", "readonly"), code == http.StatusMethodNotAllowed:
		return "the registry takes no pushes: it is read-only, a mirror for one, or being looked after"
	case code == http.StatusUnauthorized:
		return "log in with docker login or podman login, as someone who may push there"
	case code == http.StatusForbidden:
		return "log in with docker login or podman login as someone who may push there"
	case code == http.StatusRequestEntityTooLarge:
		return (&TooLargeError{}).Hint()
	case code == http.StatusNotFound:
		return "check the name; some registries have repositories only once they are created there"
	case fetch.IsPassing(code):
		return "the registry is in trouble: try again later; what it has is not sent twice"
	}
	return ""
}
