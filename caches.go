package lamina

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/moby/buildkit/client"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/cache"
	"lamina.build/internal/beneath"
	"lamina.build/internal/engine"
	"lamina.build/internal/failure"
	"lamina.build/internal/registry"
)

// remote returns the caches outside the engine, which each variant and platform has to
// itself.
func (j job) remote() cache.Remote {
	own := cache.Remote{Imports: slices.Clone(j.Cache.Imports), Exports: slices.Clone(j.Cache.Exports)}
	for _, list := range [][]cache.Entry{own.Imports, own.Exports} {
		for i := range list {
			list[i] = list[i].For(j.spec.Variant, j.on).From(j.env)
		}
	}
	return own
}

// checkCacheDirs rejects directories of caches that contain links and other than regular
// files: BuildKit's client would write through them, wait for a FIFO, or quote what isn't an
// index. A project from elsewhere may have brought the directory.
func checkCacheDirs(r cache.Remote) error {
	var problems []error
	for _, e := range slices.Concat(r.Imports, r.Exports) {
		if e.Type != "local" {
			continue
		}
		if err := checkCacheDir(e.Attrs["dest"] + e.Attrs["src"]); err != nil {
			problems = append(problems, failure.New(failure.Usage, fmt.Errorf("using cache %s: %w", e.Name(), err)))
		}
	}
	return errors.Join(problems...)
}

func checkCacheDir(dir string) (err error) {
	root, err := beneath.Typed(dir).Open()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	for _, name := range []string{"blobs", "ingest", ocispec.ImageLayoutFile, ocispec.ImageIndexFile, ocispec.ImageIndexFile + ".lock"} {
		if err = beneath.CheckTree(root, name); err != nil {
			return err
		}
	}
	_, err = beneath.ReadFile(root, ocispec.ImageIndexFile) // BuildKit reads one of any size
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return err
}

// exportCaches exports the caches of an image that is already complete, without its
// weights, of which a cache would hold a second copy. It reports a failure and keeps what
// was built; only with ignore-error=false does the build fail.
func (j job) exportCaches(ctx context.Context, e *engine.Engine, made solved) (problems []string, err error) {
	_, apart := j.remote().Split()
	if len(apart) == 0 {
		return nil, nil
	}
	r := made.request
	if r.Exports = nil; j.hasWeights() {
		if r.Image, err = j.Build.Draw(made.in.WithoutWeights()); err != nil {
			return nil, err
		}
	}
	for _, entry := range apart {
		r.Cache.Exports = []cache.Entry{entry}
		_, problem := j.run(ctx, e, r, nil)
		switch {
		case problem == nil:
			continue
		case ctx.Err() != nil:
			return problems, errors.Join(err, problem)
		}
		problem = registry.ExplainEngine(problem)
		if entry.Type == "gha" && entry.Attrs["token"] == "" {
			problem = failure.WithHint(problem, "GitHub's runners give ACTIONS_RUNTIME_TOKEN to actions only: use crazy-max/ghaction-github-runtime in a step before, which exports it")
		}
		if entry.Type == "registry" {
			if said := registry.Diagnose(ctx, entry.Attrs["ref"], j.registry(entry.Attrs["registry.insecure"] == "true")); said != nil {
				problem = said
			}
		}
		problem = fmt.Errorf("exporting cache %s: %w", entry.Name(), problem)
		if entry.Attrs["ignore-error"] == "false" {
			err = errors.Join(err, problem)
			continue
		}
		text := strings.Join(append([]string{problem.Error()}, failure.Hints(problem)...), "; ")
		j.note("warning: the image is complete, but the next build will miss a cache: %s", text)
		problems = append(problems, text)
	}
	return problems, err
}

// heard merges what an engine reports, without the locations of uploads, and what sent says of
// pushes. It reports caches that hold nothing, which an engine ignores.
func (j job) heard(show func(context.Context, chan *client.SolveStatus) error, sent <-chan *client.SolveStatus) func(context.Context, chan *client.SolveStatus) error {
	const uploads = "/blobs/uploads/"
	return func(ctx context.Context, steps chan *client.SolveStatus) error {
		told, shown := map[string]bool{}, make(chan *client.SolveStatus)
		go func() {
			defer close(shown)
			for {
				s, more := next(steps, sent)
				if !more {
					return
				}
				for _, v := range s.Vertexes {
					if strings.Contains(v.Error, uploads) {
						v.Error = registry.WithoutUploads(v.Error)
					}
					if from, ok := strings.CutPrefix(v.Name, "importing cache manifest from "); ok && v.Error != "" && !told[from] {
						told[from] = true
						j.note("warning: nothing imported from cache %s: %s", from, registry.ExplainEngine(errors.New(v.Error)))
					}
				}
				for _, l := range s.Logs {
					if bytes.Contains(l.Data, []byte(uploads)) {
						l.Data = []byte(registry.WithoutUploads(string(l.Data)))
					}
				}
				shown <- s
			}
		}()
		err := show(ctx, shown)
		for range shown { // if the display ends early, drain the rest
		}
		return err
	}
}

// next returns the next of two streams' statuses until the first is closed and the other one
// is empty.
func next(steps, sent <-chan *client.SolveStatus) (s *client.SolveStatus, more bool) {
	select {
	case s, more = <-steps:
	case s = <-sent:
		return s, true
	}
	if !more {
		select {
		case s = <-sent:
			return s, true
		default:
		}
	}
	return s, more
}
