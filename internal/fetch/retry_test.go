package fetch_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"lamina.build/internal/failure"
	"lamina.build/internal/fetch"
)

// later is an error that states when to retry.
type later time.Duration

func (l later) Error() string             { return "not now" }
func (l later) RetryAfter() time.Duration { return time.Duration(l) }

func TestRetry(t *testing.T) {
	passing := func(err error) error { return failure.New(failure.Transient, err) }
	tests := []struct {
		name  string
		errs  []error // of the attempts in turn, the last one repeatedly
		slept []time.Duration
		notes int
		want  string
	}{
		{"at once", []error{nil}, nil, 0, ""},
		{"after two", []error{passing(io.EOF), passing(io.EOF), nil}, []time.Duration{300 * time.Millisecond, 600 * time.Millisecond}, 0, ""},
		{"not a final error", []error{io.EOF}, nil, 0, "EOF"},
		{"as long as requested", []error{passing(later(7 * time.Second)), nil}, []time.Duration{7 * time.Second}, 1, ""},
		{"not for an hour", []error{passing(later(time.Hour))}, nil, 0, "fetching https://h/x?…: not now"},
		{"until a minute is over", []error{passing(later(25 * time.Second))}, []time.Duration{25 * time.Second, 25 * time.Second}, 2, "fetching https://h/x?…: gave up after 3 attempts: not now"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, n, notes := new(pauses), 0, 0
			r := client(fetch.Options{Sleep: p.sleep}).Retry("https://me:geheim@h/x?sig=geheim")
			r.Note = func(string) { notes++ }
			err := r.Try(t.Context(), func() error { n++; return tt.errs[min(n, len(tt.errs))-1] })
			if got := errorText(err); got != tt.want || notes != tt.notes || !alike(p.all(), tt.slept) {
				t.Errorf("got %q after %v and %d notes", got, p.all(), notes)
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := client(fetch.Options{}).Retry("").Try(ctx, func() error { return passing(io.EOF) }); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// alike compares pauses, allowing for jitter.
func alike(got, want []time.Duration) bool {
	return slices.EqualFunc(got, want, func(a, b time.Duration) bool { return (a - b).Abs() <= b/4 })
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// A busy host gets no request for more than a second, and the pauses vary.
func TestPausesOfABusyHost(t *testing.T) {
	t.Parallel()
	busy := &fetch.StatusError{Host: "h", Code: http.StatusTooManyRequests}
	p := new(pauses)
	for range 500 {
		r := client(fetch.Options{Sleep: p.sleep, Wait: time.Millisecond}).Retry("https://h/x")
		if err := r.Again(t.Context(), failure.New(failure.Transient, busy)); err != nil {
			t.Fatal(err)
		}
	}
	if least, most := slices.Min(p.all()), slices.Max(p.all()); least < time.Second || least > 1300*time.Millisecond ||
		most < 1700*time.Millisecond || most > 2350*time.Millisecond {
		t.Errorf("from %s to %s", least, most)
	}
}

func TestRetryReadsOn(t *testing.T) {
	const content = "0123456789"
	opened := []int64{}
	open := func(offset, length int64) (io.ReadCloser, error) {
		opened = append(opened, offset)
		part := io.LimitReader(strings.NewReader(content[offset:offset+length]), 2)
		return io.NopCloser(io.MultiReader(part, iotest.ErrReader(io.ErrUnexpectedEOF))), nil
	}
	body, err := client(fetch.Options{Attempts: 2}).Retry("").Reader(t.Context(), 1, 8, open)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	got, err := io.ReadAll(body)
	if string(got) != content[1:9] || err != nil || !slices.Equal(opened, []int64{1, 3, 5, 7}) {
		t.Errorf("got %q, %v from %v", got, err, opened)
	}
	endless := func(offset, _ int64) (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(content[offset:])), nil
	}
	if body, err = client(fetch.Options{}).Retry("").Reader(t.Context(), 1, 3, endless); err != nil {
		t.Fatal(err)
	}
	if got, err = io.ReadAll(body); string(got) != content[1:4] || err != nil {
		t.Errorf("more than requested: got %q, %v", got, err)
	}
	short := func(offset, _ int64) (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(content[offset:min(offset+2, 4)])), nil
	}
	if body, err = client(fetch.Options{}).Retry("").Reader(t.Context(), 1, 8, short); err != nil {
		t.Fatal(err)
	}
	if got, err = io.ReadAll(body); string(got) != content[1:4] || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("less than requested: got %q, %v", got, err)
	}
	if body, err = client(fetch.Options{}).Retry("").Reader(t.Context(), 0, 8, open); err != nil || body.Close() != nil {
		t.Fatal(err)
	}
	if n, err := body.Read(make([]byte, 1)); n != 0 || !errors.Is(err, os.ErrClosed) {
		t.Errorf("after Close: got %d, %v", n, err)
	}
}

func TestAskAsksOnce(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			http.Redirect(w, r, "/there", http.StatusFound)
			return
		}
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL, http.NoBody)
	req.Header.Set("Range", "bytes=1-2")
	resp, err := client(fetch.Options{}).Ask(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if came := s.requests(); resp.StatusCode != http.StatusServiceUnavailable || len(came) != 2 || came[1].Header.Get("Range") != "bytes=1-2" {
		t.Errorf("got %d after %d requests", resp.StatusCode, len(came))
	}
}
