package fetch_test

import (
	"bytes"
	"errors"
	"net/http"
	"testing"

	"lamina.build/internal/fetch"
)

// What is read of a file before its server breaks is good, and so is what is read
// afterwards.
func TestReadAtWhereTheServerBreaks(t *testing.T) {
	const chunk = 1 << 20
	data, n, broken := noise(3*chunk), 0, 0
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if n++; n > 2 && broken != 0 {
			w.WriteHeader(broken)
			return
		}
		content(data)(w, r)
	})
	f, err := client(fetch.Options{}).Open(t.Context(), s.URL, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.ReadAt(make([]byte, 10), 0); err != nil { // caches the first chunk
		t.Fatal(err)
	}
	for _, broken = range []int{http.StatusNotFound, http.StatusServiceUnavailable} {
		got := make([]byte, 2*chunk)
		count, err := f.ReadAt(got, chunk/2)
		if status, ok := errors.AsType[*fetch.StatusError](err); !ok || status.Code != broken || count != chunk/2 || !bytes.Equal(got[:count], data[chunk/2:chunk]) {
			t.Errorf("after a %d: read %d bytes, %v", broken, count, err)
		}
	}
	broken = 0
	readAll(t, f, data)
}

// However much of a file is read, only the newest part stays in memory.
func TestFileKeepsTheNewestChunks(t *testing.T) {
	data := make([]byte, 66<<20)
	copy(data, "first")
	copy(data[len(data)-5:], "final")
	s := serve(t, content(data))
	f, err := client(fetch.Options{}).Open(t.Context(), s.URL, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.ReadAt(make([]byte, len(data)), 0); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		at       int
		want     string
		requests int // requests needed
	}{{len(data) - 5, "final", 0}, {0, "first", 1}, {0, "first", 0}, {len(data) - 5, "final", 0}} {
		before, got := len(s.requests()), make([]byte, 5)
		if _, err := f.ReadAt(got, int64(tt.at)); err != nil || string(got) != tt.want {
			t.Errorf("at %d: got %q, %v", tt.at, got, err)
		}
		if n := len(s.requests()) - before; n != tt.requests {
			t.Errorf("at %d: took %d requests, want %d", tt.at, n, tt.requests)
		}
	}
}
