package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"

	"lamina.build/internal/test/testworld"
)

// hub serves one model, bench/model, of the given size in bytes, in files of at most
// LARGEST bytes (1000000000), which are generated when read. Its address is an
// HF_ENDPOINT.
func hub(ctx context.Context, args []string, out io.Writer) error {
	if len(args) < 1 || len(args) > 2 {
		return errors.New("usage: bench hub BYTES [LARGEST]")
	}
	size, err := bytes(args[0])
	if err != nil {
		return err
	}
	largest := int64(1e9)
	if len(args) > 1 {
		if largest, err = bytes(args[1]); err != nil {
			return err
		}
	}
	h := testworld.New(testworld.Forever{Ctx: ctx}).Hub(testworld.HubOptions{})
	h.Repo("bench/model", testworld.HubRepoOptions{}).Commit(model(size, largest))
	return serve(ctx, out, h.Endpoint, h.World, nil)
}

func bytes(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("%q is not a size in bytes", text)
	}
	return n, nil
}

func model(size, largest int64) map[string]testworld.HubFile {
	all := map[string]testworld.HubFile{"config.json": testworld.Small("{}")}
	for n := uint64(1); size > 0; n++ {
		part := min(size, largest)
		all[fmt.Sprintf("model-%02d.safetensors", n)] = testworld.Large(testworld.Generated(n, part))
		size -= part
	}
	return all
}
