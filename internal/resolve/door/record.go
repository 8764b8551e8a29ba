package door

import (
	"net/http"
	"slices"
	"sync"
)

// mostNotes limits the records of one kind.
const mostNotes = 1 << 16

// Seen is an answered request.
type Seen struct {
	Method string
	URL    string // as fetch.Redact returns it
	Index  string // that has the page or lists the file
	Status int
}

// Refusal is a refused request.
type Refusal struct {
	Method string
	URL    string // as fetch.Redact returns it
	Host   string // with its port
	Reason string
}

// trouble is an error at an address, as fetch.Redact returns it; "" if no later response
// resolves it.
type trouble struct {
	at  string
	err error
}

// record records events from any goroutine.
type record struct {
	mu       sync.Mutex
	seen     []Seen
	refused  []Refusal
	problems []trouble
	told     map[any]bool // refusals, and the texts of problems
}

// see records a response, and deletes the problems of an address that answers after all.
func (r *record) see(s Seen) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s.Status < http.StatusMultipleChoices || s.Status == http.StatusNotModified {
		r.problems = slices.DeleteFunc(r.problems, func(f trouble) bool {
			if f.at == s.URL {
				delete(r.told, f.err.Error())
			}
			return f.at == s.URL
		})
	}
	if len(r.seen) < mostNotes {
		r.seen = append(r.seen, s)
	}
}

func (r *record) refuse(f Refusal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.isNews(f) {
		r.refused = append(r.refused, f)
	}
}

// fail records each error once, since clients retry requests.
func (r *record) fail(at string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.isNews(err.Error()) {
		r.problems = append(r.problems, trouble{at, err})
	}
}

func (r *record) isNews(what any) bool {
	if r.told == nil {
		r.told = map[any]bool{}
	}
	if r.told[what] || len(r.told) >= mostNotes {
		return false
	}
	r.told[what] = true
	return true
}

// Seen returns every answered request, in the order of the responses.
func (d *Door) Seen() []Seen {
	d.record.mu.Lock()
	defer d.record.mu.Unlock()
	return slices.Clone(d.record.seen)
}

// Refused returns the refused requests, each once.
func (d *Door) Refused() []Refusal {
	d.record.mu.Lock()
	defer d.record.mu.Unlock()
	return slices.Clone(d.record.refused)
}

// Problems returns the unresolved errors of hosts, each once, with kind and hints.
func (d *Door) Problems() []error {
	d.record.mu.Lock()
	defer d.record.mu.Unlock()
	list := make([]error, 0, len(d.record.problems))
	for _, f := range d.record.problems {
		list = append(list, f.err)
	}
	return list
}
