package apt

import (
	"context"
	"fmt"

	"github.com/moby/buildkit/client"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/internal/solve"
)

// run has the engine solve the graph and reads the answers out of it.
func run(ctx context.Context, c *client.Client, ls footing, p ocispec.Platform, list []question) ([]answer, error) {
	names := make([]string, 0, 3*len(list))
	for i := range list {
		names = append(names, name(i)+".status", name(i)+".uris", name(i)+".log")
	}
	files, err := solve.Read(ctx, c, solve.ReadRequest{State: graph(ls, list), Names: names, Platform: p, Store: ls.store})
	if err != nil {
		return nil, fmt.Errorf("running apt in the engine: %w", err)
	}
	answers := make([]answer, len(list))
	for i := range list {
		own := files[3*i:]
		answers[i] = answer{status: string(own[0]), uris: string(own[1]), log: string(own[2])}
	}
	return answers, nil
}
