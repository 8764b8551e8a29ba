// Command hub is a Hugging Face hub for bench/model.sh. Its one model, bench/model,
// is of the size in bytes that it is given, in files of 1 GB at most that are made
// as they are read. It prints its endpoint.
//
//	hub BYTES
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"strconv"

	"lamina.build/internal/testworld"
)

const largest = 1_000_000_000

func main() {
	if len(os.Args) != 2 { //nolint:forbidigo // a program of its own
		log.Fatal("usage: hub BYTES")
	}
	size, err := strconv.ParseInt(os.Args[1], 10, 64) //nolint:forbidigo // a program of its own
	if err != nil || size < 1 {
		log.Fatalf("%q is no size", os.Args[1]) //nolint:forbidigo,gosec // a program of its own
	}
	w := testworld.New(testworld.Forever{Ctx: context.Background()}) //nolint:forbidigo // a program of its own
	h := w.Hub(testworld.HubOptions{})
	h.Repo("bench/model", testworld.HubRepoOptions{}).Commit(files(size))
	if _, err := fmt.Fprintln(os.Stdout, h.Endpoint); err != nil { //nolint:forbidigo // a program of its own
		log.Fatal(err)
	}
	select {}
}

func files(size int64) map[string]testworld.HubFile {
	all := map[string]testworld.HubFile{"config.json": testworld.Small("{}")}
	for n := uint64(1); size > 0; n++ {
		part := min(size, largest)
		all[fmt.Sprintf("model-%02d.safetensors", n)] = testworld.Large(testworld.Generated(n, part))
		size -= part
	}
	return all
}
