// Library builds an image by a program: the Debian packages and the model of the
// image.toml next to it, and a layer with a C program that is compiled in the
// builder. Try it: go run ./examples/library
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"

	"lamina.build"
	"lamina.build/llb"
	"lamina.build/stages"
)

const source = `#include <stdio.h>
int main(void) {
	char words[100];
	FILE *model = fopen("/models/hello/words.txt", "r");
	return model && fgets(words, sizeof words, model) && fputs(words, stdout) >= 0 ? 0 : 1;
}
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	made, err := build(ctx, "examples/library", lamina.Build{})
	stop()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\npodman run --rm oci:dist/hello:production\n", made.Manifest)
}

func build(ctx context.Context, dir string, b lamina.Build) (made lamina.Made, err error) {
	p, err := lamina.Open(dir, lamina.Options{Env: os.Getenv})
	if err != nil {
		return made, err
	}
	defer p.Close()
	b.Draw = draw
	return p.Build(ctx, b) // the first time it writes image.lock
}

// draw adds the program to Lamina's drawing, and makes it the entrypoint.
func draw(in stages.Input) (stages.Image, error) {
	builder, err := stages.Builder(in)
	if err != nil {
		return stages.Image{}, err
	}
	compiled := llb.Exec{
		Name: "compile hello", Args: []string{"/usr/bin/gcc", "-O2", "-o", "/usr/local/bin/hello", "/source/hello.c"},
		Mounts: []llb.Mount{{Target: "/source", From: llb.Files("source", map[string]string{"hello.c": source})}},
	}.On(builder)
	hello := llb.Clean("hello", compiled, "/usr/local/bin", "/usr/local/bin")
	image, err := stages.New(in, stages.Part{Stage: "hello", State: hello, Layers: []stages.Layer{{What: "a program"}}})
	image.Config.Config.Entrypoint = []string{"/usr/local/bin/hello"}
	return image, err
}
