package hub

import "sync"

// places remembers which address a file's own one leads to, on another host. The
// hub counts and limits how often it is asked; where the bytes are, nobody does.
// Such an address is good for a while, and whoever finds it stale forgets it.
// The zero value knows none.
type places struct {
	mu    sync.Mutex
	known map[string]string
}

func (p *places) of(url string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.known[url]
}

func (p *places) set(url, place string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.known == nil {
		p.known = map[string]string{}
	}
	p.known[url] = place
}

// forget keeps what somebody else has found out since.
func (p *places) forget(url, stale string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.known[url] == stale {
		delete(p.known, url)
	}
}
