// Library composes an image of its own from Lamina's words: Debian packages
// from a lock, a C program compiled in the builder, and one clean layer of it.
// It prints the graph: go run ./examples/library image.lock | buildctl build …
package main

import (
	"context"
	"log"
	"os"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/cache"
	"lamina.build/llb"
	"lamina.build/lock"
	"lamina.build/stages"
)

const program = `#include <stdio.h>` + "\nint main(void) { puts(\"hello\"); }\n"

func main() {
	text, err := os.ReadFile(os.Args[1]) //nolint:gosec // the user names the path
	if err != nil {
		log.Fatal(err)
	}
	locked, err := lock.Parse(os.Args[1], text)
	if err != nil {
		log.Fatal(err)
	}
	in := stages.Input{Lock: locked, Mirrors: llb.Mirrors{"debian": os.Getenv("MIRROR")}}
	ccache := cache.CCache(cache.Namespace{Distribution: locked.Suites[0], Platform: locked.Platform})
	compile := llb.Exec{
		Name: "compile", Args: []string{"/usr/bin/gcc", "-o", "/usr/local/bin/hello", "/source/hello.c"},
	}.With(ccache.Option(), llb.Mount("/source", llb.Files("source", map[string]string{"hello.c": program})))
	hello := llb.Clean("hello", compile.On(stages.Builder(in)).Root(), "/usr/local/bin", "/usr/local/bin")
	image := llb.Merge("image", append(stages.Runtime(in), hello)...)
	platform := ocispec.Platform{OS: "linux", Architecture: "amd64"}
	if err := llb.Write(context.Background(), os.Stdout, image, platform); err != nil {
		log.Fatal(err)
	}
}
