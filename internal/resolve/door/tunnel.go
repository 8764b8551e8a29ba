package door

import (
	"bufio"
	"crypto/tls"
	"net"
	"sync"
)

type tunnelKey struct{}

// tunnel is a connection that a client leads to a host through the proxy.
type tunnel struct {
	net.Conn
	early *bufio.Reader // what came with the request for it
	host  string        // with its port
	gone  func(*tunnel)
}

func (t *tunnel) Read(p []byte) (int, error) {
	if t.early.Buffered() > 0 {
		return t.early.Read(p)
	}
	return t.Conn.Read(p)
}

func (t *tunnel) Close() error {
	t.gone(t)
	return t.Conn.Close()
}

// tunnels are a listener of the TLS in them.
type tunnels struct {
	config *tls.Config
	ready  chan net.Conn
	done   chan struct{}

	mu     sync.Mutex
	open   map[*tunnel]struct{}
	closed bool
}

func newTunnels() *tunnels {
	return &tunnels{ready: make(chan net.Conn), done: make(chan struct{}), open: map[*tunnel]struct{}{}}
}

// add hands a connection over to the server.
func (l *tunnels) add(c net.Conn, early *bufio.Reader, host string) {
	t := &tunnel{Conn: c, early: early, host: host, gone: l.forget}
	l.mu.Lock()
	l.open[t] = struct{}{}
	l.mu.Unlock()
	select {
	case l.ready <- tls.Server(t, l.config):
	case <-l.done:
	}
	select {
	case <-l.done: // the server may have taken it, and no more look at it
		_ = t.Close()
	default:
	}
}

func (l *tunnels) forget(t *tunnel) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.open, t)
}

// close ends all of them.
func (l *tunnels) close() {
	l.mu.Lock()
	if !l.closed {
		l.closed = true
		close(l.done)
	}
	open := l.open
	l.open = map[*tunnel]struct{}{}
	l.mu.Unlock()
	for t := range open {
		_ = t.Conn.Close() // it may be gone already
	}
}

// Accept returns the next connection.
func (l *tunnels) Accept() (net.Conn, error) {
	select {
	case c := <-l.ready:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close is that of a listener: connections stay.
func (*tunnels) Close() error { return nil }

// Addr names the listener.
func (*tunnels) Addr() net.Addr { return &net.UnixAddr{Name: "tunnels", Net: "unix"} }
