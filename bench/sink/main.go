// Command sink is a registry for bench/model.sh: one that takes uploads in chunks,
// and keeps of blobs above 64 MB, which are weights, the digest alone, which it
// doesn't compute: the registry that it stands for has cores of its own. It prints
// its address, and the one where GET / returns the bytes of all bodies so far
// as {"in":…,"out":…}, and POST / starts again from zero.
package main

import (
	"context"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"time"

	"lamina.build/internal/test/testworld"
)

const weights = 64_000_000

func main() {
	r := testworld.NewRegistry(testworld.Forever{Ctx: context.Background()}, testworld.RegistryOptions{Discard: true, Keep: weights, Believe: true}) //nolint:forbidigo // a program of its own
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	if _, err := fmt.Fprintf(os.Stdout, "%s\n%s\n", r.Host, listener.Addr()); err != nil { //nolint:forbidigo // a program of its own
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "{\"in\":%d,\"out\":%d}\n", r.Received(), r.Sent("/**"))
	})
	mux.HandleFunc("POST /", func(http.ResponseWriter, *http.Request) { r.Forget() })
	server := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	log.Fatal(server.Serve(listener))
}
