package resolve

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/moby/buildkit/client"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/llb"
)

// run has the engine solve the graph and reads the answers out of it.
func run(ctx context.Context, c *client.Client, ls layers, p ocispec.Platform, list []question) ([]answer, error) {
	def, err := llb.Marshal(ctx, graph(ls, list), p)
	if err != nil {
		return nil, fmt.Errorf("describing apt's work: %w", err)
	}
	answers := make([]answer, len(list))
	status := make(chan *client.SolveStatus)
	said := make(chan string, 1)
	go func() { said <- lastWords(status) }()
	opt := client.SolveOpt{OCIStores: map[string]content.Store{llb.StoreID: ls.store}}
	_, err = c.Build(ctx, opt, "lamina", func(ctx context.Context, g gateway.Client) (*gateway.Result, error) {
		result, solveErr := g.Solve(ctx, gateway.SolveRequest{Definition: def.ToPB()})
		if solveErr != nil {
			return nil, solveErr
		}
		for i := range list {
			var readErr error
			if answers[i], readErr = read(ctx, result.Ref, name(i)); readErr != nil {
				return nil, readErr
			}
		}
		return gateway.NewResult(), nil
	}, status)
	words := <-said
	if err != nil && words != "" {
		return nil, fmt.Errorf("running apt in the engine: %w\n%s", err, words)
	}
	if err != nil {
		return nil, fmt.Errorf("running apt in the engine: %w", err)
	}
	return answers, nil
}

func read(ctx context.Context, ref gateway.Reference, name string) (a answer, err error) {
	faults := make([]error, 0, 3)
	for suffix, to := range map[string]*string{".status": &a.status, ".uris": &a.uris, ".log": &a.log} {
		data, err := ref.ReadFile(ctx, gateway.ReadRequest{Filename: name + suffix})
		*to = string(data)
		faults = append(faults, err)
	}
	return a, errors.Join(faults...)
}

// lastWords collects what the execs print, the last of it.
func lastWords(status <-chan *client.SolveStatus) string {
	const enough = 4 << 10
	var words strings.Builder
	for s := range status {
		for _, l := range s.Logs {
			words.Write(l.Data)
		}
	}
	text := strings.TrimSpace(words.String())
	return text[max(0, len(text)-enough):]
}
