package solve

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/moby/buildkit/client"
	bkllb "github.com/moby/buildkit/client/llb"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/session"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"lamina.build/cache"
	"lamina.build/llb"
)

// submission is a graph on its way to an engine.
type submission struct {
	client   *client.Client
	sources  *Sources          // nil if the engine may fetch whatever the graph has
	def      *bkllb.Definition // for the names of its steps
	options  client.SolveOpt
	build    gateway.BuildFunc
	progress func(context.Context, chan *client.SolveStatus) error // may be nil
	silence  time.Duration                                         // default: [silence]
}

// run builds, and shows and records the progress.
func (s submission) run(ctx context.Context) (response *client.SolveResponse, seen *recorder, err error) {
	seen = &recorder{}
	status, shown := make(chan *client.SolveStatus), make(chan *client.SolveStatus)
	solving, stop := context.WithCancel(ctx)
	defer stop()
	g, gctx := errgroup.WithContext(solving)
	g.Go(func() (buildErr error) {
		response, buildErr = s.client.Build(gctx, s.options, "lamina", func(ctx context.Context, gw gateway.Client) (*gateway.Result, error) {
			if unfit := s.sources.check(gw.BuildOpts().LLBCaps); unfit != nil {
				return nil, unfit
			}
			return s.build(ctx, gw)
		}, status)
		return buildErr
	})
	g.Go(func() error {
		seen.watch(status, shown, cmp.Or(s.silence, silence), stop)
		return nil
	})
	var displayErr error
	g.Go(func() error {
		displayErr = s.show(ctx, shown)
		return nil
	})
	if err = g.Wait(); err == nil {
		err = displayErr
	}
	if err != nil {
		return nil, seen, seen.explain(s.sources.denied(err), s.def)
	}
	return response, seen, nil
}

// show runs the display. It outlives the build's context, to show why the build ended, and
// drains the channel: a broken display must not block the build.
func (s submission) show(ctx context.Context, steps chan *client.SolveStatus) (err error) {
	if s.progress != nil {
		err = s.progress(context.WithoutCancel(ctx), steps)
	}
	for range steps {
		continue
	}
	return err
}

// ReadRequest is a graph to solve for some files in its result.
type ReadRequest struct {
	State    llb.State
	Names    []string // of the files, below the root of the state
	Platform ocispec.Platform
	Store    content.Store // holds the packed layers
	Session  []session.Attachable
	Cache    []cache.Entry                                         // that may have the results of the graph
	Progress func(context.Context, chan *client.SolveStatus) error // may be nil
	Sources  *Sources                                              // nil if the engine may fetch whatever the graph has
	Silence  time.Duration                                         // how long a step that installs packages may print nothing; default: half an hour
}

// Read solves a graph, exports nothing, and returns the content of the files in the order of
// their names. If the graph fails, it returns an [Error].
func Read(ctx context.Context, c *client.Client, r ReadRequest) (files [][]byte, err error) {
	err = read(ctx, c, r, func(ctx context.Context, ref gateway.Reference) (err error) {
		files, err = readAll(ctx, ref, r.Names)
		return err
	})
	return files, err
}

// Copy is Read for one file of any size.
func Copy(ctx context.Context, c *client.Client, r ReadRequest, w io.Writer) error {
	return read(ctx, c, r, func(ctx context.Context, ref gateway.Reference) error {
		for offset, n := 0, piece; n == piece; offset += n {
			data, err := ref.ReadFile(ctx, gateway.ReadRequest{Filename: r.Names[0], Range: &gateway.FileRange{Offset: offset, Length: piece}})
			if n = len(data); err == nil {
				_, err = w.Write(data)
			}
			if err != nil {
				return fmt.Errorf("reading %q: %w", r.Names[0], err)
			}
		}
		return nil
	})
}

// piece is the number of bytes to request from an engine at once: its messages are bounded.
const piece = 4 << 20

func read(ctx context.Context, c *client.Client, r ReadRequest, use func(context.Context, gateway.Reference) error) error {
	def, err := llb.Marshal(ctx, r.State, r.Platform)
	if err != nil {
		return err
	}
	sourcePolicy, err := r.Sources.apply(ctx, r.Platform, def)
	if err != nil {
		return err
	}
	s := submission{
		client: c, sources: r.Sources, def: def, progress: r.Progress, silence: r.Silence,
		options: client.SolveOpt{
			OCIStores: r.Sources.stores(r.Store, nil), SourcePolicy: sourcePolicy, Session: r.Session, CacheImports: entries(locals(r.Cache)), FrontendAttrs: map[string]string{},
		},
	}
	s.build = func(ctx context.Context, gw gateway.Client) (*gateway.Result, error) {
		res, solveErr := gw.Solve(ctx, gateway.SolveRequest{Definition: def.ToPB(), CacheImports: imports(s.options.CacheImports, r.Cache)})
		if solveErr != nil {
			return nil, solveErr
		}
		return gateway.NewResult(), use(ctx, res.Ref)
	}
	_, _, err = s.run(ctx)
	return passing(err)
}

func readAll(ctx context.Context, ref gateway.Reference, names []string) ([][]byte, error) {
	files := make([][]byte, len(names))
	for i, name := range names {
		var err error
		if files[i], err = ref.ReadFile(ctx, gateway.ReadRequest{Filename: name}); err != nil {
			return nil, fmt.Errorf("reading %q: %w", name, err)
		}
	}
	return files, nil
}
