package spec_test

import (
	"fmt"

	"lamina.build/spec"
)

func ExampleParse() {
	f, err := spec.Parse("image.toml", []byte(`
name = "hello"
[debian]
packages = ["python3"]
[app]
source = "app"
entrypoint = ["python3", "/app/main.py"]
[variant.fast.debian]
packages = ["python3", "python3-numpy"]
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, name := range f.Variants() {
		s, err := f.Variant(name)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(s.Variant, s.Debian.Packages, s.Weights, s.Extra)
	}
	// Output:
	// production [python3] layers []
	// debug [python3] layers [gdb strace procps less vim-tiny]
	// fast [python3 python3-numpy] layers []
	// minimal [python3] none []
}

func ExampleParse_problems() {
	_, err := spec.Parse("image.toml", []byte(`name = "hello"
[debian]
pakages = ["python3"]
[app]
source = "../app"
ports = [80000]
`))
	fmt.Println(err)
	// Output:
	// image.toml:3:1: unknown key "pakages" in [debian], did you mean "packages"?
	// image.toml:5:10: source: "../app" leads out of the directory of image.toml
	// image.toml:6:10: an entry of ports is 80000, want 1 to 65535
}
