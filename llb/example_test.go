package llb_test

import (
	"context"
	"fmt"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/llb"
)

// A layer of one file, made from nothing else.
func ExampleText() {
	layer := llb.Text("greeting", "/etc/greeting", "hello\n")
	def, err := llb.Marshal(context.Background(), layer, ocispec.Platform{OS: "linux", Architecture: "amd64"})
	fmt.Println(len(def.Def), err)
	// Output: 3 <nil>
}
