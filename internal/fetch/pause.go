package fetch

import (
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

// isPassing tells the answers that may be others in a moment.
func isPassing(code int) bool {
	switch code {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests, http.StatusInternalServerError,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return 520 <= code && code <= 524 // Cloudflare's, of a server behind it
}

// jittered is a pause that differs by a quarter at most, so that what failed at once
// doesn't come again at once.
func jittered(d time.Duration) time.Duration {
	return d*3/4 + rand.N(d/2+1) //nolint:gosec // nobody gains by guessing it
}

// retryAfter returns how long a server asks to wait. One that has too many requests
// and doesn't say gets a second, others nothing.
func retryAfter(resp *http.Response, now time.Time) time.Duration {
	after := resp.Header.Get("Retry-After")
	if seconds, err := strconv.ParseUint(after, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(after); err == nil {
		return max(at.Sub(now), 0)
	}
	if resp.StatusCode == http.StatusTooManyRequests {
		return jittered(time.Second * 3 / 2) // at the least a second
	}
	return 0
}
