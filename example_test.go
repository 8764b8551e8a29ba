package lamina_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"lamina.build"
	"lamina.build/spec"
	"lamina.build/stages"
)

// A spec made by a program is checked like a written one: all its problems are reported
// at once.
func ExampleNew() {
	_, err := lamina.New(".", spec.Spec{Name: "My Image", Debian: spec.Debian{Packages: []string{"Python3"}}}, lamina.Options{CacheDir: os.TempDir()})
	fmt.Println(lamina.KindOf(err) == lamina.Usage)
	fmt.Println(err)
	// Output:
	// true
	// the spec of My Image:1:8: name: "My Image" is not a name (lower-case letters and digits, joined by single - . _)
	// the spec of My Image:4:13: packages: "Python3" is not a Debian package name (two or more of lower-case letters, digits, + - .)
}

// The image is built with another entry point than its spec says.
func ExampleProject_Build() {
	p, err := lamina.Open("examples/faceblend", lamina.Options{Env: os.Getenv})
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	made, err := p.Build(context.Background(), lamina.Build{
		Smoke: stages.SmokeRuntime,
		Draw: func(in stages.Input) (stages.Image, error) {
			image, bad := stages.New(in)
			image.Config.Config.Entrypoint = []string{"/usr/bin/python3"}
			return image, bad
		},
	})
	if err != nil {
		log.Print(lamina.Hints(err))
		return
	}
	fmt.Println(made.Manifest)
}
