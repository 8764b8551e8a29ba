package python

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"lamina.build/internal/fault"
	"lamina.build/lock"
)

// ErrBytes is returned for a file whose bytes are not those that were locked.
var ErrBytes = errors.New("what comes are not the bytes that were locked")

// Diagnose says why an engine could not fetch a distribution, by asking its
// server. The engine hashes whatever a server answers, so that a page that
// says 404 is a wrong hash to it; told is what the engine made of it.
func Diagnose(ctx context.Context, client *http.Client, d lock.Distribution, logins Logins, told error) error {
	what := fmt.Sprintf("fetching %s %s from %s", d.Name, d.Version, d.URL)
	code, err := ask(ctx, client, d.URL, logins)
	switch {
	case err != nil:
		return fault.New(fault.Transient, fmt.Errorf("%s: %w", what, err))
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		err := fault.New(fault.Usage, fmt.Errorf("%s: the server asks for a login, or refuses the one it got (%d)", what, code))
		return fault.WithHint(err, "put a login for its host into ~/.netrc")
	case code == http.StatusNotFound || code == http.StatusGone:
		err := fmt.Errorf("%s: the server has it no more (%d)", what, code)
		return fault.WithHint(err, "\"build lock\" takes what the index has now")
	case code >= http.StatusInternalServerError || code == http.StatusTooManyRequests:
		return fault.New(fault.Transient, fmt.Errorf("%s: the server answers %d", what, code))
	case isMismatch(told):
		err := fmt.Errorf("%s: %w: %w", what, ErrBytes, told)
		return fault.WithHint(err, "a proxy may alter it, or its index may have replaced it: compare before you lock anew")
	}
	return fault.New(fault.Transient, fmt.Errorf("%s: %w", what, told))
}

// ask returns the status of a file, without its content. It asks for it as the
// engine does: addresses that are signed for GET forbid HEAD.
func ask(ctx context.Context, client *http.Client, url string, logins Logins) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return 0, err
	}
	req.Header.Set("User-Agent", "lamina")
	if login, ok := logins.of(req.URL.Hostname()); ok {
		req.SetBasicAuth(login.User, login.Password)
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}

// isMismatch knows the engine's word for bytes with another hash.
func isMismatch(err error) bool {
	return err != nil && strings.Contains(err.Error(), "digest mismatch")
}
