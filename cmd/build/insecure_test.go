package main

import (
	"testing"

	"lamina.build"
)

// --insecure-registry is about caches, too.
func TestInsecureRegistriesOfCaches(t *testing.T) {
	for _, insecure := range []bool{true, false} {
		remote, err := lamina.ParseCache(
			[]string{"vm:5000/app", "type=registry,ref=vm:5000/b,registry.insecure=false", "type=local,src=d"}, []string{"vm:5000/app", "type=inline"},
		)
		if err != nil {
			t.Fatal(err)
		}
		(&imageOptions{options: lamina.Options{Insecure: insecure}}).reach(remote)
		want := map[bool]string{true: "true"}[insecure]
		for i, e := range remote.Imports {
			if w := []string{want, "false", ""}[i]; e.Attrs["registry.insecure"] != w {
				t.Errorf("insecure %t: %v", insecure, e)
			}
		}
		if remote.Exports[0].Attrs["registry.insecure"] != want || remote.Exports[1].Attrs["registry.insecure"] != "" {
			t.Errorf("insecure %t: %v", insecure, remote.Exports)
		}
	}
}
