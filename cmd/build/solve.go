package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/session"

	"lamina.build/internal/debian"
	"lamina.build/internal/engine"
	"lamina.build/internal/fault"
	"lamina.build/internal/output"
	"lamina.build/internal/solve"
)

// solve has the engine make the image. A package that its mirror has dropped is
// looked for in the archive of Debian's past: what is fetched already stays
// fetched, since only its hash counts.
func (j job) solve(ctx context.Context, e *engine.Engine, x *exports) (solve.Result, error) {
	result, err := j.attempt(ctx, e, x)
	if !unfetched(err) || ctx.Err() != nil {
		return result, err
	}
	err = j.reason(ctx, err)
	j.app.ui.note("%v: trying Debian's archive of its past", err)
	j.archive = true
	result, again := j.attempt(ctx, e, x)
	if again == nil {
		return result, nil
	}
	err = fault.New(fault.Transient, fmt.Errorf("%w; nor from the archive of Debian's past: %w", err, again))
	hint := fmt.Sprintf("if the mirror has dropped the package, \"build lock %s\" takes its successor", j.dir)
	return result, fault.WithHint(err, hint)
}

// unfetched says whether a build failed at a file that its mirror does not give.
func unfetched(err error) bool {
	step, ok := errors.AsType[*solve.Error](err)
	return ok && step.URL != "" || debian.IsNotFound(err)
}

// reason asks the mirror itself what is wrong with a file. The engine hashes
// whatever a server answers, so that a page that says 404 is a wrong hash to it.
func (j job) reason(ctx context.Context, err error) error {
	step, ok := errors.AsType[*solve.Error](err)
	if !ok {
		return err
	}
	_, refused := debian.NewGetter("").Fetch(ctx, step.URL, 0)
	if status, ok := errors.AsType[*debian.StatusError](refused); ok {
		return fmt.Errorf("%s: %w", step.Step, status)
	}
	return err
}

func (j job) attempt(ctx context.Context, e *engine.Engine, x *exports) (solve.Result, error) {
	image, err := j.draw(ctx, e)
	if err != nil {
		return solve.Result{}, err
	}
	request := solve.Request{
		Image: image, Store: j.store, Exports: x.entries, Cache: j.remote(), NoCache: j.noCache,
		Session: []session.Attachable{j.app.logins()},
	}
	if first, needed := prime(x.outputs, j.hasWeights()); needed {
		before := request
		before.Exports, before.Cache.Exports = first, nil
		if _, err := j.run(ctx, e, before); err != nil {
			return solve.Result{}, err
		}
		request.NoCache = false
	}
	return j.run(ctx, e, request)
}

func (j job) run(ctx context.Context, e *engine.Engine, r solve.Request) (result solve.Result, err error) {
	if r.Progress, err = j.app.display(j.progress); err != nil {
		return result, err
	}
	result, err = solve.Run(ctx, e.Client(), r)
	return result, e.Explain(ctx, err)
}

// prime is the export that goes before one in another compression than zstd: the
// first blob that an engine makes of a layer sticks, and where weights forbid to
// force the compression, every later export would have other digests.
func prime(outputs []output.Output, weights bool) ([]client.ExportEntry, bool) {
	if !weights {
		return nil, false
	}
	for _, o := range outputs {
		if o.Type != output.Local && compression(o) != output.Zstd {
			usual := output.Output{Type: output.OCI, Tar: true, Level: output.DefaultLevel}
			return []client.ExportEntry{{
				Type: client.ExporterOCI, Attrs: attributes(usual, weights), Output: give(unclosed{io.Discard}),
			}}, true
		}
	}
	return nil, false
}
