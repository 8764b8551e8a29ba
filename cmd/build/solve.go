package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/session"

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
	missing, ok := errors.AsType[*solve.Error](err)
	if !ok || missing.URL == "" || ctx.Err() != nil {
		return result, err
	}
	j.app.ui.note("%s: trying Debian's archive of its past", missing)
	j.archive = true
	if result, err = j.attempt(ctx, e, x); err == nil {
		return result, nil
	}
	err = fault.New(fault.Transient, fmt.Errorf("%w: from %s, and not from the archive of Debian's past either: %w", missing, missing.URL, err))
	return result, fault.WithHint(err, fmt.Sprintf("if the mirror has dropped the package, \"build lock %s\" takes its successor", j.dir))
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
