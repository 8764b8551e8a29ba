// Command hub is a Hugging Face hub for bench/model.sh. Its one model, bench/model,
// is of the size in bytes that it is given, in files of as many at most, that are
// made as they are read. It prints its endpoint.
//
//	hub BYTES [LARGEST]      (1000000000)
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"slices"
	"strconv"

	"lamina.build/internal/test/testworld"
)

func main() {
	args := slices.Concat(os.Args[1:], []string{"1000000000"}) //nolint:forbidigo // a program of its own
	if len(args) < 2 || len(args) > 3 {
		log.Fatal("usage: hub BYTES [LARGEST]")
	}
	size, largest := bytes(args[0]), bytes(args[1])
	w := testworld.New(testworld.Forever{Ctx: context.Background()}) //nolint:forbidigo // a program of its own
	h := w.Hub(testworld.HubOptions{})
	h.Repo("bench/model", testworld.HubRepoOptions{}).Commit(files(size, largest))
	if _, err := fmt.Fprintln(os.Stdout, h.Endpoint); err != nil { //nolint:forbidigo // a program of its own
		log.Fatal(err)
	}
	select {}
}

func bytes(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 {
		log.Fatalf("%q is no size", text) //nolint:gosec // to who gave it
	}
	return n
}

func files(size, largest int64) map[string]testworld.HubFile {
	all := map[string]testworld.HubFile{"config.json": testworld.Small("{}")}
	for n := uint64(1); size > 0; n++ {
		part := min(size, largest)
		all[fmt.Sprintf("model-%02d.safetensors", n)] = testworld.Large(testworld.Generated(n, part))
		size -= part
	}
	return all
}
