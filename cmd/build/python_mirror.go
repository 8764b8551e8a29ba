package main

import (
	"context"
	"path/filepath"

	"lamina.build/internal/fetch"
	"lamina.build/internal/python"
)

// lookElsewhere finds out where the index that the user names for Python packages
// has the files of the lock. Where nobody names one, they come from where they were
// locked.
func (j *job) lookElsewhere(ctx context.Context) error {
	o := j.lockOptions
	if err := j.app.pythonIndexes(&o); err != nil || !o.chosen {
		return err
	}
	named, err := j.project.indexes(j.app.env)
	if err != nil {
		return err
	}
	dir, err := j.app.cacheDir()
	if err != nil {
		return err
	}
	j.logins = j.logins.Merge(o.logins)
	j.mirrored = python.MirrorOptions{
		Client: fetch.New(fetch.Options{Logins: j.logins.For}),
		Index:  o.indexes.Default, Named: named, Dir: filepath.Join(dir, "mirrors"),
		Note: func(line string) { j.app.ui.note("%s", line) },
	}
	j.elsewhere, err = python.Mirrored(ctx, j.mirrored, j.lock)
	return err
}

// indexes are those that the spec and the files that it reads name.
func (p *project) indexes(env func(string) string) (list []string, err error) {
	requests, err := p.pythonRequests(env)
	if requests == nil {
		return nil, err
	}
	for _, r := range requests {
		list = append(list, r.Named(p.root.FS())...)
	}
	return list, nil // whose logins are not set is told where something needs them
}
