package registry

import (
	"net/http"
	"time"
)

// Next is next, for fuzzing.
func Next(header string, believed int64) (int64, bool) { return next(header, believed) }

// ContentRange is contentRange.
func ContentRange(offset int64, n int) string { return contentRange(offset, n) }

// RetryAfter reads the header of that name.
func RetryAfter(value string, now time.Time) time.Duration {
	return (&answer{header: http.Header{"Retry-After": {value}}}).retryAfter(now)
}
