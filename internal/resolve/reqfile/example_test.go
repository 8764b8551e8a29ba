package reqfile_test

import (
	"fmt"
	"os"
	"testing/fstest"

	"lamina.build/internal/resolve/reqfile"
)

func ExampleRead() {
	tree := fstest.MapFS{
		"requirements.txt": {Data: []byte(`
-r base.txt
--extra-index-url https://user:${TOKEN}@wheels.example/simple
torch == 2.6.0  # the GPU's
`)},
		"base.txt": {Data: []byte("numpy>=1.26,<3 ; python_version>='3.12'\n")},
	}
	set, err := reqfile.Read(reqfile.Options{
		FS:           tree,
		Requirements: []string{"requirements.txt"},
		Env:          func(name string) string { return "secret of " + name },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, r := range set.Requirements {
		fmt.Printf("%s:%d: %s\n", r.File, r.At, r.Line)
	}
	fmt.Println(set.ExtraIndexURLs, set.Logins)
	// Output:
	// base.txt:1: numpy>=1.26,<3 ; python_version>='3.12'
	// requirements.txt:4: torch==2.6.0
	// [https://wheels.example/simple] map[wheels.example:(a login)]
}

func ExampleRead_problems() {
	tree := fstest.MapFS{"requirements.txt": {Data: []byte("torch 2.6\n-e .\n-r base.txt\n")}}
	_, err := reqfile.Read(reqfile.Options{FS: tree, Requirements: []string{"requirements.txt"}, Env: os.Getenv})
	fmt.Println(err)
	// Output:
	// requirements.txt:1: "torch 2.6" is not a requirement: NAME[EXTRAS]==VERSION, NAME @ URL, or the ./PATH of an archive
	// requirements.txt:2: "." is a directory; a requirement file can only install archives
	// requirements.txt:3: "base.txt" does not exist
}
