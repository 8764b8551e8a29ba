package testworld

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"
)

// HubHost is one of the two hosts of a hub.
type HubHost struct {
	*World

	guard  sync.Mutex // guards what follows
	faults []hubFault
}

type hubFault struct {
	pattern string
	*Fault
}

// Fail injects a fault into the requests that match a pattern: a path as of [World.Fail],
// optionally after a method and a space, such as "HEAD /hub/**". The latest match wins. A
// fault that corrupts content corrupts the requested range.
func (h *HubHost) Fail(pattern string, f Fault) {
	h.guard.Lock()
	defer h.guard.Unlock()
	h.faults = append([]hubFault{{pattern, &f}}, h.faults...)
}

// Heal removes all faults.
func (h *HubHost) Heal() {
	h.guard.Lock()
	defer h.guard.Unlock()
	h.faults = nil
}

// take uses up one time of a request's fault.
func (h *HubHost) take(r *http.Request) serveFault {
	h.guard.Lock()
	defer h.guard.Unlock()
	for _, f := range h.faults {
		if f.Times == 0 || !matchesCall(f.pattern, r.Method, clean(r.URL.Path)) {
			continue
		}
		if f.Times > 0 {
			f.Times--
		}
		return f.serve
	}
	return nil
}

func (h *HubHost) handler(answer func(*http.Request) hubAnswer) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		fault := h.take(r)
		a := answer(r).ranged(r)
		maps.Copy(rw.Header(), a.header)
		if fault == nil {
			a.send(rw, r)
			return
		}
		fault(&faultWriter{ResponseWriter: rw, right: a}, r, a.part)
	})
}

// faultWriter sends the status and the header of the right answer, unless a fault sets its own
// status.
type faultWriter struct {
	http.ResponseWriter

	right hubAnswer
	sent  bool
}

// FlushError also sends the status: a fault may flush before its first byte.
func (f *faultWriter) FlushError() error {
	f.start()
	return http.NewResponseController(f.ResponseWriter).Flush()
}

func (f *faultWriter) WriteHeader(status int) {
	f.sent = true
	maps.DeleteFunc(f.Header(), func(name string, values []string) bool {
		return status != f.right.status && slices.Equal(f.right.header[name], values)
	})
	f.ResponseWriter.WriteHeader(status)
}

func (f *faultWriter) Write(p []byte) (int, error) {
	f.start()
	return f.ResponseWriter.Write(p)
}

func (f *faultWriter) start() {
	if !f.sent {
		f.WriteHeader(f.right.status)
	}
}

// Limited answers like the hub that the requests of a kind, "api" or "resolvers", are used up
// for a while.
func Limited(kind string, wait time.Duration, times int) Fault {
	return Fault{times, func(rw http.ResponseWriter, _ *http.Request, _ *io.SectionReader) {
		rw.Header().Set("RateLimit", fmt.Sprintf("%q;r=0;t=%d", kind, int(wait.Seconds())))
		rw.Header().Set("RateLimit-Policy", fmt.Sprintf(`"fixed window";%q;q=500;w=300`, kind))
		http.Error(rw, http.StatusText(http.StatusTooManyRequests), http.StatusTooManyRequests)
	}}
}
