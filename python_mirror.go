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
	var named []string
	for _, r := range j.wishes.Python {
		named = append(named, r.Named(j.root.FS())...)
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
