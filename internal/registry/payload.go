package registry

import (
	"bytes"
	"errors"
	"io"
	"sync"
)

var errSpent = errors.New("the login had to be renewed when the body was on its way")

// payload is the body of a request that may be sent twice: when a token has run
// out, go-containerregistry gets another and sends the request again, as it is.
// The transport may not be done with the first body then, so that two of its
// goroutines would share the bytes between them. Hence each attempt has a body
// of its own, and none is read once the next one or the caller has it.
type payload struct {
	w    *watcher
	data []byte    // what can be sent again, or
	body io.Reader // what can't

	mu    sync.Mutex // held while an attempt reads
	turn  int        // the attempt that may read
	spent bool       // whether any of body was taken
}

// Read is nobody's: [signedTransport] sends next.
func (p *payload) Read([]byte) (int, error) { return 0, errSpent }

// Close does nothing: the body may still be wanted.
func (p *payload) Close() error { return nil }

// next returns the body of the next attempt, and ends the one before.
func (p *payload) next() (io.ReadCloser, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.spent {
		return nil, errSpent
	}
	p.turn++
	source := p.body
	if source == nil {
		source = bytes.NewReader(p.data)
	}
	return io.NopCloser(&payloadTurn{p.w.watched(source), p, p.turn}), nil
}

// end keeps the transport from reading on. It waits for a read that is under
// way, so that the bytes are the caller's again afterwards.
func (p *payload) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.turn++
}

// payloadTurn is a body for one attempt.
type payloadTurn struct {
	io.Reader

	p    *payload
	turn int
}

func (t *payloadTurn) Read(b []byte) (int, error) {
	t.p.mu.Lock()
	defer t.p.mu.Unlock()
	if t.turn != t.p.turn {
		return 0, errSpent
	}
	t.p.spent = t.p.body != nil
	return t.Reader.Read(b)
}
