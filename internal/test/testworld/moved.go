package testworld

import (
	"net"
	"sync/atomic"
)

// wire is a listener that counts the bytes of its connections.
type wire struct {
	net.Listener

	in, out atomic.Int64
}

// Moved returns the bytes of all the world's connections in each direction, headers included.
func (w *World) Moved() (in, out int64) { return w.wire.in.Load(), w.wire.out.Load() }

// Accept returns the next connection, counted.
func (w *wire) Accept() (net.Conn, error) {
	conn, err := w.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return wired{conn, w}, nil
}

type wired struct {
	net.Conn

	wire *wire
}

func (c wired) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.wire.in.Add(int64(n))
	return n, err
}

func (c wired) Write(p []byte) (int, error) {
	c.wire.out.Add(int64(len(p))) // first: the reader may check at once
	n, err := c.Conn.Write(p)
	c.wire.out.Add(int64(n - len(p)))
	return n, err
}
