package fetch_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"lamina.build/internal/fetch"
)

// pauses records a client's waits, without waiting.
type pauses struct {
	mu    sync.Mutex
	slept []time.Duration
}

func (p *pauses) sleep(ctx context.Context, d time.Duration) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.slept = append(p.slept, d)
	return ctx.Err()
}

func (p *pauses) all() []time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.slept)
}

// server runs a handler, and records its requests.
type server struct {
	*httptest.Server
	turn sync.Mutex
	mu   sync.Mutex
	came []*http.Request
}

func serve(t *testing.T, h http.HandlerFunc) *server {
	t.Helper()
	s := &server{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.came = append(s.came, r.Clone(context.WithoutCancel(r.Context())))
		s.mu.Unlock()
		s.turn.Lock() // handlers may count
		defer s.turn.Unlock()
		h(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *server) requests() []*http.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.came)
}

func client(o fetch.Options) *fetch.Client {
	if o.Sleep == nil {
		o.Sleep = new(pauses).sleep
	}
	return fetch.New(o)
}
