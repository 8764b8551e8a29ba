package toml_test

import (
	"fmt"
	"regexp"

	"lamina.build/internal/toml"
)

// The schema is what is read from the readers.
func Example() {
	doc, problems := toml.Parse("server.toml", []byte(`
host = "Example"
prot = 80
[[user]]
name = "ann"
[[user]]
roles = ["admin", 3]
`))
	name := func(s string) (string, error) {
		if !regexp.MustCompile(`^[a-z]+$`).MatchString(s) {
			return "", fmt.Errorf("%q is not a name", s)
		}
		return s, nil
	}
	r := problems.Read(doc.Root)
	r.Text("host", name)
	r.Integer("port", r.Take("port"), 1, 65535)
	for _, user := range r.Blocks("user") {
		user.Need("name", name)
		user.Texts("roles", name)
		user.End()
	}
	r.End()
	fmt.Println(problems.Err())
	// Output:
	// server.toml:2:8: host: "Example" is not a name
	// server.toml:3:1: unknown key "prot"
	// server.toml:6:1: [[user]] has no name
	// server.toml:7:19: an entry of roles is an integer, want a string
}
