package lamina

import (
	"context"
	"errors"
	"maps"
	"strings"
	"sync"

	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/solver/pb"

	"lamina.build/internal/engine"
	"lamina.build/internal/failure"
	"lamina.build/internal/solve"
)

// sideBySide has the engines of several platforms make their images at the same time, without
// exporting them: archives and layouts are written for one platform after the other, by a build
// that then finds the sites drawn and all steps cached. It returns the failures of all platforms that will
// not pass, and reports whether everything is made; the build itself retries or reports what is
// missing. There are as many solves at once as platforms, of which a spec knows two.
func sideBySide(ctx context.Context, sites []site) (made bool, err error) {
	requests, work := make([]solve.Request, len(sites)), Work{Task: Building, Sizes: map[string]int64{}}
	var names []string
	for i, s := range sites { // drawing packs the same trees
		image, in, drawErr := s.draw(ctx, s.engine)
		if drawErr != nil {
			return false, nil //nolint:nilerr // as above
		}
		sites[i].drawn = &drawn{image, in}
		requests[i], names = s.request(image, in), append(names, s.on)
		requests[i].Cache.Exports = nil
		maps.Copy(work.Sizes, s.work().Sizes)
	}
	sites[0].note("building for %s at the same time", strings.Join(names, " and "))
	show, end := sites[0].watchAll(ctx, work)
	problems := make([]error, len(sites))
	var group sync.WaitGroup
	for i, s := range sites {
		s.shown = show(s.on)
		group.Go(func() { _, problems[i] = s.run(ctx, s.engine, requests[i], nil) })
	}
	group.Wait()
	end()
	var lasting []error
	for i, problem := range problems {
		if problem != nil && ctx.Err() == nil && !unfetched(problem) && !errors.Is(problem, engine.ErrLost) && failure.KindOf(problem) != failure.Transient {
			lasting = append(lasting, sites[i].of(problem))
		}
	}
	return errors.Join(problems...) == nil, errors.Join(lasting...)
}

// watchAll returns a function that shows the work of one of several engines in their common
// display, and one that ends it. Each step is in the progress group of its engine.
func (h *host) watchAll(ctx context.Context, w Work) (show func(group string) func(context.Context, chan *client.SolveStatus) error, end func()) {
	all, ended := make(chan *client.SolveStatus), make(chan struct{})
	go func() {
		defer close(ended)
		_ = h.watch(w)(context.WithoutCancel(ctx), all) // a broken display is no failure of the work
		for range all {                                 // if it ends early, drain the rest
			continue
		}
	}()
	show = func(group string) func(context.Context, chan *client.SolveStatus) error {
		return func(_ context.Context, steps chan *client.SolveStatus) error {
			for s := range steps {
				for _, v := range s.Vertexes {
					v.ProgressGroup = &pb.ProgressGroup{Id: group, Name: group}
				}
				all <- s
			}
			return nil
		}
	}
	return show, func() { close(all); <-ended }
}
