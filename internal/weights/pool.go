package weights

import (
	"context"
	"sync"
)

// pool lends buffers of one size, a limited number of them. One is made when it
// is first wanted, so that a small model takes little memory, and the last one to
// come back is the first to go: it may be in the processor's cache.
type pool struct {
	size  int
	turns chan struct{} // one for each buffer that may be taken

	mu   sync.Mutex
	free [][]byte
}

func newPool(buffers, size int) *pool {
	p := &pool{size: size, turns: make(chan struct{}, buffers)}
	for range buffers {
		p.turns <- struct{}{}
	}
	return p
}

// buffers is how many there are at most.
func (p *pool) buffers() int { return cap(p.turns) }

// take waits for a buffer.
func (p *pool) take(ctx context.Context) ([]byte, error) {
	select {
	case <-p.turns:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	last := len(p.free) - 1
	if last < 0 {
		return make([]byte, p.size), nil
	}
	b := p.free[last]
	p.free = p.free[:last]
	return b, nil
}

// give returns a buffer, or what was cut off its end.
func (p *pool) give(b []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free = append(p.free, b[:p.size])
	p.turns <- struct{}{} // there is room: it was taken
}
