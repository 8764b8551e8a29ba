package testworld

import (
	"io"
	"net/http"
	"strings"
)

type registryFault struct {
	pattern string
	*Fault
}

// Fail injects a fault into the requests that match a pattern: a path as of [World.Fail],
// optionally after a method and a space, such as "PATCH /v2/**". The latest match wins.
//
// [Status] and its like answer in place of the registry. The faults for registries corrupt
// the request or the answer.
func (r *Registry) Fail(pattern string, f Fault) {
	r.content.Lock()
	defer r.content.Unlock()
	r.faults = append([]registryFault{{pattern, &f}}, r.faults...)
}

// Heal removes all faults.
func (r *Registry) Heal() {
	r.content.Lock()
	defer r.content.Unlock()
	r.faults = nil
}

// faultOf uses up one time of a request's fault.
func (r *Registry) faultOf(req *http.Request) serveFault {
	r.content.Lock()
	defer r.content.Unlock()
	for _, f := range r.faults {
		if f.Times == 0 || !matchesCall(f.pattern, req.Method, clean(req.URL.Path)) {
			continue
		}
		if f.Times > 0 {
			f.Times--
		}
		return f.serve
	}
	return nil
}

func matchesCall(pattern, method, name string) bool {
	if wanted, rest, ok := strings.Cut(pattern, " "); ok {
		return wanted == method && matches(clean(rest), name)
	}
	return matches(clean(pattern), name)
}

// Around makes a custom fault for a registry, with access to the right answer.
func Around(times int, serve func(rw http.ResponseWriter, r *http.Request, right http.Handler)) Fault {
	return Fault{times, func(rw http.ResponseWriter, r *http.Request, _ *io.SectionReader) {
		right, ok := r.Context().Value(nextKey{}).(http.Handler)
		if !ok {
			right = http.NotFoundHandler()
		}
		serve(rw, r, right)
	}}
}
