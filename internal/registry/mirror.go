package registry

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
)

// mirrors opens the repository's copies on mirrors. An unreachable one is skipped, as
// engines do; there are few retries, since the registry is next.
func (o Options) mirrors(ctx context.Context, repo name.Repository, hosts []Host) (opened []*Repository) {
	o.HTTP.Attempts = 2
	for _, host := range hosts {
		address, below, _ := strings.Cut(host.Name, "/")
		at, err := name.NewRegistry(address)
		if err != nil {
			continue
		}
		host.Name = address
		m, err := o.reach(at.Repo(strings.TrimPrefix(below+"/"+repo.RepositoryStr(), "/")), host)
		if err != nil {
			continue
		}
		if m.of = repo.RegistryStr(); m.open(ctx) == nil {
			opened = append(opened, m)
		}
	}
	return opened
}

// first reads from the first mirror that succeeds, else from the registry itself.
func (r *Repository) first(ctx context.Context, read func(*Repository) error) error {
	var failed []error
	for _, m := range r.mirrors {
		err := read(m)
		if err == nil || ctx.Err() != nil {
			return err
		}
		if !errors.Is(err, ErrNotFound) {
			failed = append(failed, fmt.Errorf("a mirror of %s: %w", r.name.RegistryStr(), err))
		}
	}
	err := r.open(ctx)
	if err == nil {
		err = read(r)
	}
	if err == nil {
		return nil
	}
	return errors.Join(append([]error{err}, failed...)...)
}
