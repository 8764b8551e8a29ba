package hub

import (
	"net/http"
	"regexp"
	"strconv"
	"time"
)

// limited finds the limit that is used up in a RateLimit header, and when it
// is new: "resolvers";r=0;t=55, as of draft-ietf-httpapi-ratelimit-headers-09.
var limited = regexp.MustCompile(`"[^"]*"\s*;\s*r\s*=\s*0\s*;\s*t\s*=\s*(\d{1,9})(?:\D|$)`)

// waitOf returns how long a server asks to wait, and 0 where it doesn't say.
// A RateLimit header is on every answer, and says so only where nothing is left.
func waitOf(h http.Header) time.Duration {
	after := h.Get("Retry-After")
	if seconds, err := strconv.ParseUint(after, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(after); err == nil {
		return max(time.Until(at), 0)
	}
	for _, line := range h.Values("RateLimit") {
		if m := limited.FindStringSubmatch(line); m != nil {
			seconds, _ := strconv.Atoi(m[1]) // nine digits
			return time.Duration(seconds) * time.Second
		}
	}
	return 0
}
