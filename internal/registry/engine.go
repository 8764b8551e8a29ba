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

// Diagnose requests the right to push that an engine failed to use, and begins an upload.
// If the registry refuses either, its answer has the reason, which an engine doesn't report.
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
	// The errors of engines for an unsuccessful answer, and for a refused login.
	engineStatus  = regexp.MustCompile(`unexpected status from (\w+) request to (\S+): (\d{3})\b`)
	engineCode    = regexp.MustCompile(`: (denied|unauthorized|unsupported|toomanyrequests|unavailable|unknown): `)
	engineRefusal = regexp.MustCompile(`insufficient_scope|authorization failed|no basic auth credentials|failed to (authorize|fetch (oauth|anonymous) token)|access denied`)
	engineAddress = regexp.MustCompile(`https?://[^\s"]+`)
)

// engineError is an engine's error about a registry, without secret addresses.
type engineError struct{ error }

func (e *engineError) Error() string { return WithoutUploads(e.error.Error()) }

// WithoutUploads returns an engine's text about registries without the secrets that
// authorize continuing an upload.
func WithoutUploads(said string) string {
	return engineAddress.ReplaceAllStringFunc(said, func(found string) string {
		text := strings.TrimRight(found, ":,;")
		return withoutUpload(text) + found[len(text):]
	})
}

func (e *engineError) Unwrap() error { return e.error }

// withoutUpload returns an address without what authorizes continuing an upload.
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

// ExplainEngine gives an engine's error about a registry the kind and the hint that our
// own client would give it. Engines report such errors as text only.
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

// isFull reports whether a quota is exhausted.
func isFull(code int, said string) bool {
	return code == http.StatusInsufficientStorage || code != 0 && strings.Contains(strings.ToLower(said), "quota")
}

// hintOf returns the hint for a status and the text that a registry returned with it.
func hintOf(code int, said string) string {
	said = strings.ToLower(said)
	has := func(words ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(said, w) })
	}
	switch {
	case isFull(code, said):
		return "the registry's quota is exhausted: remove images there, or ask its administrator for more"
	case has("no space left"):
		return "the registry's disk is full: its administrator has to free space"
	case has("read-only", "read only", "readonly"), code == http.StatusMethodNotAllowed:
		return "the registry accepts no pushes: it is read-only, such as a mirror, or under maintenance"
	case code == http.StatusUnauthorized:
		return "log in with docker login or podman login, as a user who may push there"
	case code == http.StatusForbidden:
		return "log in with docker login or podman login as a user who may push there"
	case code == http.StatusRequestEntityTooLarge:
		return (&TooLargeError{}).Hint()
	case code == http.StatusNotFound:
		return "check the name; some registries require a repository to be created first"
	case fetch.IsPassing(code):
		return "the registry has a problem: try again later; what it already has is not sent again"
	}
	return ""
}
