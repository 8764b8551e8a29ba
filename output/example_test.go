package output_test

import (
	"fmt"

	"lamina.build/output"
)

func ExampleParse() {
	o, err := output.Parse("type=oci,dest=faceblend.tar")
	fmt.Println(o.Type, o.Dest, o.Tar, err)

	_, err = output.Parse("type=docker,compression=zstd")
	fmt.Println(err)
	// Output:
	// oci faceblend.tar true <nil>
	// output "type=docker,compression=zstd": type=docker can't have compression=zstd: gzip or uncompressed
}
