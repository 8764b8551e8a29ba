package lamina

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"lamina.build/internal/failure"
	"lamina.build/internal/fetch"
	"lamina.build/internal/humanize"
	"lamina.build/internal/solve"
	"lamina.build/internal/vendorstore"
	"lamina.build/internal/weights"
)

// openVendored opens the mirror; it returns nil if there is none.
func (p *Project) openVendored(ctx context.Context) (*vendorstore.Store, error) {
	if p.o.Mirror == "" {
		return nil, nil
	}
	return p.openStoreOf(ctx, p.o.Mirror, false)
}

// isRegistry reports whether a mirror is in a registry rather than a directory.
func isRegistry(place string) bool { return strings.HasPrefix(place, registryScheme) }

const registryScheme = "oci://"

// openStoreOf opens the sources in a directory or "oci://…", which need not exist yet if
// create is set.
func (p *Project) openStoreOf(ctx context.Context, place string, create bool) (*vendorstore.Store, error) {
	reference, ok := strings.CutPrefix(place, registryScheme)
	switch {
	case ok:
		p.registries.use(nil, []string{reference})
		options := p.registry(false)
		options.ReadOnly = !create
		return vendorstore.OpenRegistry(ctx, reference, create, options)
	case create:
		return vendorstore.Make(ctx, place)
	}
	return vendorstore.Open(ctx, place)
}

// findVendored has a build use the vendored sources, and the vendored models if all of
// them are there.
func (j *job) findVendored(ctx context.Context) error {
	if j.vendor == nil {
		return nil
	}
	sources, err := j.vendorable()
	if err != nil {
		return err
	}
	if j.vendored, j.unvendored, err = j.vendor.Find(ctx, plain(sources)); err != nil {
		return err
	}
	if len(j.unvendored) > 0 {
		j.note("%s of %d are not in %s", humanize.Count(len(j.unvendored), "source"), len(sources), j.vendor.Name())
	}
	if j.vendor.Layout() == nil {
		return nil
	}
	for _, m := range j.spec.Models {
		locked, ok, err := j.locked(m)
		if err != nil {
			return err
		}
		if !ok { // a directory of the project
			continue
		}
		work, err := weights.NewJob(locked)
		if err != nil {
			return err
		}
		if _, ok, err = work.Find(ctx, j.vendor.Layout()); err != nil || !ok {
			return err
		}
	}
	if j.hasWeights() {
		j.models, j.unpublished = j.vendor.Layout(), true
	}
	return nil
}

// explainMissing adds all problems of the vendored sources to the error of a build that
// lacks a source or got an altered one.
func (j job) explainMissing(ctx context.Context, err error) error {
	isMissing := errors.Is(err, solve.ErrMissing) || errors.Is(err, fetch.ErrOffline)
	step, ok := errors.AsType[*solve.Error](err)
	if ctx.Err() != nil || !isMissing && (j.vendor == nil || !ok || !step.Source) {
		return err
	}
	if j.vendor == nil {
		return failure.WithHint(failure.New(failure.Findings, err), "run \"build vendor DEST\" to fetch everything that the lock names, and build with --mirror DEST")
	}
	sources, vendorErr := j.vendorable()
	if vendorErr != nil {
		return err
	}
	problems, vendorErr := j.vendor.Check(ctx, slices.DeleteFunc(plain(sources), func(s vendorstore.Source) bool { return j.vendored[s.Key()] == "" }))
	if isMissing {
		for _, s := range j.unvendored {
			problems = append(problems, fmt.Errorf("%s is missing", s.Name))
		}
	}
	if vendorErr != nil || len(problems) == 0 {
		return err
	}
	err = fmt.Errorf("%w; in %s:\n%w", err, j.vendor.Name(), errors.Join(problems...))
	return failure.WithHint(failure.New(failure.Findings, err), fmt.Sprintf("run \"build vendor %s\" to fetch what is missing or altered", j.o.Mirror))
}

// checkOffline reports what a build can't do without the network.
func (p *Project) checkOffline(b Build) error {
	if !p.o.Offline {
		return nil
	}
	var problems []error
	for _, o := range b.Outputs {
		if o.Push {
			problems = append(problems, fmt.Errorf("output %s pushes, which can't be done offline", o))
		}
	}
	if isRegistry(p.o.Mirror) {
		problems = append(problems, fmt.Errorf("mirror %s is a registry, which can't be used offline", p.o.Mirror))
	}
	for _, e := range slices.Concat(b.Cache.Imports, b.Cache.Exports) {
		if e.Type != "local" && e.Type != "inline" {
			problems = append(problems, fmt.Errorf("a cache of type %s can't be used offline", e.Type))
		}
	}
	return failure.New(failure.Usage, errors.Join(problems...))
}
