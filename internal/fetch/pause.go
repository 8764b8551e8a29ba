package fetch

import (
	"math/rand/v2"
	"net/http"
	"sync"
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

// waits returns what the pauses after an answer begin with, and how long its server
// asks to be left alone. One that has too many requests asks for a second at least.
func waits(resp *http.Response, wait time.Duration) (first, asked time.Duration) {
	if resp.StatusCode == http.StatusTooManyRequests {
		wait, asked = max(wait, time.Second*3/2), time.Second // a second, however it is jittered
	}
	return wait, max(asked, RetryAfter(resp.Header))
}

// busy are the hosts that ask to be left alone, by everybody.
type busy struct {
	mu    sync.Mutex
	until map[string]time.Time
}

func (b *busy) leave(host string, d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if at := time.Now().Add(d); at.After(b.until[host]) {
		b.until[host] = at
	}
}

// left is how long a host is to be left alone. Those who wait don't come all at once.
func (b *busy) left(host string) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	left := time.Until(b.until[host])
	if left <= 0 {
		return 0
	}
	return left + rand.N(left/4+1) //nolint:gosec // nobody gains by guessing it
}
