package fetch_test

import (
	"net/http"
	"testing"
	"time"

	"lamina.build/internal/fetch"
)

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		value string
		want  time.Duration
	}{
		{"Retry-After", "120", 2 * time.Minute},
		{"Retry-After", "0", 0},
		{"Retry-After", "-5", 0},
		{"Retry-After", "soon", 0},
		{"Retry-After", "99999999999999999999", 0},
		{"Retry-After", "Wed, 21 Oct 2015 07:28:00 GMT", 0},
		{"RateLimit", `"resolvers";r=0;t=55`, 55 * time.Second},
		{"RateLimit", `"api"; r = 0; t = 7`, 7 * time.Second},
		{"RateLimit", `"api";r=5;t=9, "resolvers";r=0;t=8`, 8 * time.Second},
		{"RateLimit", `"resolvers";r=2999;t=55`, 0},
		{"RateLimit", `"resolvers";r=0;t=5555555555`, 0},
		{"RateLimit", ``, 0},
	}
	for _, tt := range tests {
		header := http.Header{}
		header.Set(tt.name, tt.value)
		if got := fetch.RetryAfter(header); got != tt.want {
			t.Errorf("%s: %s: got %s, want %s", tt.name, tt.value, got, tt.want)
		}
	}
	header := http.Header{"Retry-After": {time.Now().Add(time.Minute).UTC().Format(http.TimeFormat)}}
	if got := fetch.RetryAfter(header); got < 50*time.Second || got > time.Minute {
		t.Errorf("a date: got %s", got)
	}
	// The server's clock is an hour off, or this machine's.
	there := time.Now().Add(-time.Hour).UTC()
	header = http.Header{"Retry-After": {there.Add(time.Minute).Format(http.TimeFormat)}, "Date": {there.Format(http.TimeFormat)}}
	if got := fetch.RetryAfter(header); got != time.Minute {
		t.Errorf("a date by another clock: got %s", got)
	}
}
