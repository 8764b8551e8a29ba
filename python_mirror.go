package lamina

import (
	"context"
	"path/filepath"

	"lamina.build/internal/fetch"
	"lamina.build/internal/resolve/uv"
)

// lookElsewhere finds out where the index that the user names for Python packages
// has the files of the lock. Where nobody names one, they come from where they were
// locked.
func (j *job) lookElsewhere(ctx context.Context) error {
	x, err := j.pythonIndexes()
	if err != nil || !x.chosen {
		return err
	}
	named, err := j.namedIndexes()
	if err != nil {
		return err
	}
	j.logins = j.logins.Merge(x.logins)
	j.mirrored = uv.MirrorOptions{
		Client: fetch.New(fetch.Options{Logins: j.logins.For}),
		Index:  x.Default, Named: named, Dir: filepath.Join(j.cacheDir, "mirrors"),
		Note: j.line,
	}
	j.elsewhere, err = uv.Mirrored(ctx, j.mirrored, j.lock)
	return err
}

// namedIndexes are those that the spec and the files that it reads name.
func (p *Project) namedIndexes() (list []string, err error) {
	requests, err := p.pythonRequests()
	if requests == nil {
		return nil, err
	}
	for _, r := range requests {
		list = append(list, r.Named(p.root.FS())...)
	}
	return list, nil // whose logins are not set is told where something needs them
}
