package uv

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"lamina.build/internal/failure"
	"lamina.build/internal/fetch"
	"lamina.build/lock"
)

// ErrBytes is returned for a file whose bytes are not those that were locked.
var ErrBytes = errors.New("what comes are not the bytes that were locked")

// Diagnose says why an engine could not fetch a distribution, by asking its
// server. The engine hashes whatever a server answers, so that a page that
// says 404 is a wrong hash to it; told is what the engine made of it. The client
// sends the logins.
func Diagnose(ctx context.Context, client *fetch.Client, d lock.Distribution, told error) error {
	what := fmt.Sprintf("fetching %s %s from %s", d.Name, d.Version, fetch.Redact(d.URL))
	body, err := client.Get(ctx, d.URL) // as the engine does: addresses that are signed for GET forbid HEAD
	if err == nil {
		err = body.Close()
	}
	status, answered := errors.AsType[*fetch.StatusError](err)
	switch {
	case err != nil && (!answered || status.Code == http.StatusProxyAuthRequired):
		return fmt.Errorf("%s %s: %w", d.Name, d.Version, fetch.Explain(err))
	case !answered: // all is well
	case status.Code == http.StatusUnauthorized || status.Code == http.StatusForbidden:
		return failure.New(failure.Usage, fmt.Errorf("%s %s: %w", d.Name, d.Version, fetch.Explain(err)))
	case status.Code == http.StatusNotFound || status.Code == http.StatusGone:
		err = fmt.Errorf("%s: the server has it no more (%d)", what, status.Code)
		return failure.WithHint(err, "\"build lock\" takes what the index has now")
	case failure.KindOf(fetch.Explain(err)) == failure.Transient:
		return failure.New(failure.Transient, fmt.Errorf("%s: the server answers %d", what, status.Code))
	}
	if isMismatch(told) {
		err = fmt.Errorf("%s: %w: %w", what, ErrBytes, told)
		return failure.WithHint(err, "a proxy may alter it, or its index may have replaced it: compare before you lock anew")
	}
	return failure.New(failure.Transient, fmt.Errorf("%s: %w", what, told))
}

// isMismatch knows the engine's word for bytes with another hash.
func isMismatch(err error) bool {
	return err != nil && strings.Contains(err.Error(), "digest mismatch")
}
