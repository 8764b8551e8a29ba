package solve

import (
	"context"

	"github.com/moby/buildkit/client"
	bkllb "github.com/moby/buildkit/client/llb"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"golang.org/x/sync/errgroup"
)

// submission is a graph on its way to an engine.
type submission struct {
	client   *client.Client
	def      *bkllb.Definition // for the names of its steps
	options  client.SolveOpt
	build    gateway.BuildFunc
	progress func(context.Context, chan *client.SolveStatus) error
}

// run builds, and shows and remembers what happens meanwhile.
func (s submission) run(ctx context.Context) (response *client.SolveResponse, seen *recorder, err error) {
	seen = &recorder{}
	status, shown := make(chan *client.SolveStatus), make(chan *client.SolveStatus)
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() (buildErr error) {
		response, buildErr = s.client.Build(gctx, s.options, "lamina", s.build, status)
		return buildErr
	})
	g.Go(func() error {
		seen.watch(status, shown)
		return nil
	})
	// The display outlives the build's context, so that it still shows why the
	// build ended. It ends with the channel.
	g.Go(func() error { return s.progress(context.WithoutCancel(ctx), shown) })
	if err = g.Wait(); err != nil {
		return nil, seen, seen.explain(err, s.def)
	}
	return response, seen, nil
}

// unseen shows nobody anything.
func unseen(_ context.Context, status chan *client.SolveStatus) error {
	for range status {
		continue // drained, so that the build goes on
	}
	return nil
}
