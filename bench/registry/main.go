// Command registry is a registry for bench/release.sh. It keeps everything in
// memory, listens on a free port of this machine and prints its address. GET
// /_counters returns the bytes of all its connections, headers included, as
// {"in":…,"out":…}, and POST /_reset starts again from zero; what such a request
// moves itself, some 200 bytes, counts as well.
package main

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
)

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	if _, err := fmt.Fprintln(os.Stdout, listener.Addr()); err != nil { //nolint:forbidigo // a program of its own
		log.Fatal(err)
	}
	c := &counter{Listener: listener}
	mux := http.NewServeMux()
	mux.Handle("/", registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	mux.HandleFunc("GET /_counters", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, "{\"in\":%d,\"out\":%d}\n", c.in.Load(), c.out.Load())
	})
	mux.HandleFunc("POST /_reset", func(http.ResponseWriter, *http.Request) {
		c.in.Store(0)
		c.out.Store(0)
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	log.Fatal(server.Serve(c))
}

// counter counts what moves through the connections that it accepts.
type counter struct {
	net.Listener
	in, out atomic.Int64
}

// Accept returns the next connection, counted.
func (c *counter) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return counted{conn, c}, nil
}

type counted struct {
	net.Conn
	c *counter
}

func (c counted) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.c.in.Add(int64(n))
	return n, err
}

func (c counted) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.c.out.Add(int64(n))
	return n, err
}
