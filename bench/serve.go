package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"lamina.build/internal/test/testworld"
)

// serve prints the addresses of a server and of its control, and returns when ctx ends.
// GET / of the control returns the bytes of all the server's connections, headers
// included, as {"in":…,"out":…}, and POST / resets them to zero. more are additional
// routes of the control.
func serve(ctx context.Context, out io.Writer, address string, w *testworld.World, more map[string]http.HandlerFunc) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(rw http.ResponseWriter, _ *http.Request) {
		in, out := w.Moved()
		fmt.Fprintf(rw, "{\"in\":%d,\"out\":%d}\n", in, out)
	})
	mux.HandleFunc("POST /{$}", func(http.ResponseWriter, *http.Request) { w.Forget() })
	for pattern, handler := range more {
		mux.HandleFunc(pattern, handler)
	}
	server := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	if _, err := fmt.Fprintf(out, "%s\n%s\n", address, listener.Addr()); err != nil {
		return err
	}
	if err := server.Serve(listener); ctx.Err() == nil {
		return err
	}
	return nil
}

// registry serves a registry in memory. A sink keeps only the digests of blobs above
// 64 MB, which are weights, and doesn't compute them: a real registry has its own
// cores.
func registry(ctx context.Context, out io.Writer, sink bool) error {
	var o testworld.RegistryOptions
	if sink {
		o = testworld.RegistryOptions{Discard: true, Keep: 64e6, Believe: true}
	}
	r := testworld.NewRegistry(testworld.Forever{Ctx: ctx}, o)
	return serve(ctx, out, r.Host, r.World, nil)
}
