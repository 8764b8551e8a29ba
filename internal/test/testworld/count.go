package testworld

import "net/http"

// tally counts the requests of a path.
type tally struct {
	requests, credentials int
	sent                  int64
}

func (w *World) count(name string, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := w.tallies[name]
	n.requests++
	if r.Header.Get("Authorization") != "" {
		n.credentials++
	}
	w.tallies[name] = n
}

// total adds up the paths that match a pattern.
func (w *World) total(pattern string) tally {
	w.mu.Lock()
	defer w.mu.Unlock()
	var sum tally
	for name, n := range w.tallies {
		if matches(clean(pattern), name) {
			sum.requests += n.requests
			sum.credentials += n.credentials
			sum.sent += n.sent
		}
	}
	return sum
}

// Requests counts the requests for paths that match a pattern, see [World.Fail].
func (w *World) Requests(pattern string) int { return w.total(pattern).requests }

// Credentials counts the requests with an Authorization header.
func (w *World) Credentials(pattern string) int { return w.total(pattern).credentials }

// Sent returns how many bytes of bodies were sent.
func (w *World) Sent(pattern string) int64 { return w.total(pattern).sent }

// Forget sets all counters to zero.
func (w *World) Forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.tallies)
	w.wire.in.Store(0)
	w.wire.out.Store(0)
}

// countingWriter counts bytes before it sends them, so that their receiver finds them counted.
type countingWriter struct {
	http.ResponseWriter

	world *World
	name  string
}

// Unwrap lets [http.ResponseController] flush.
func (c *countingWriter) Unwrap() http.ResponseWriter { return c.ResponseWriter }

func (c *countingWriter) Write(p []byte) (int, error) {
	c.add(len(p))
	n, err := c.ResponseWriter.Write(p)
	c.add(n - len(p))
	return n, err
}

func (c *countingWriter) add(n int) {
	c.world.mu.Lock()
	defer c.world.mu.Unlock()
	sum := c.world.tallies[c.name]
	sum.sent += int64(n)
	c.world.tallies[c.name] = sum
}
