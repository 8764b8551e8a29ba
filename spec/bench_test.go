package spec_test

import (
	"fmt"
	"strings"
	"testing"

	"lamina.build/spec"
)

// A spec of 1,000 lines is read in a few milliseconds.
func BenchmarkParse1000Lines(b *testing.B) {
	var text strings.Builder
	text.WriteString("name = \"x\"\n[debian]\npackages = [\n")
	for i := range 500 {
		fmt.Fprintf(&text, "  \"package-%d\",\n", i)
	}
	text.WriteString("]\n[app.env]\n")
	for i := range 295 {
		fmt.Fprintf(&text, "KEY_%d = \"value %d\"\n", i, i)
	}
	for i := range 50 {
		fmt.Fprintf(&text, "[[model]]\nname = \"m%d\"\nfrom = \"dir:weights/m%d\"\npath = \"/models/m%d\"\n", i, i, i)
	}
	data := []byte(text.String())
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := spec.Parse("image.toml", data); err != nil {
			b.Fatal(err)
		}
	}
}
