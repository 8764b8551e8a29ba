package uv

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"lamina.build/internal/failure"
	"lamina.build/internal/fetch"
	"lamina.build/internal/resolve/door"
	"lamina.build/lock"
)

// Foreign is a distribution that an index names on the server of somebody else. That the
// index does is a claim of the lock until it is asked, by whoever fetches the file.
type Foreign struct {
	lock.Distribution
	page string // that names it
}

// ForeignIn are those of a lock that answers the requests.
func ForeignIn(requests []Request, l lock.Lock, where Indexes, project fs.FS) (list []Foreign) {
	for _, r := range requests {
		c := newClaim(r, l, where, project)
		for _, d := range l.Distributions {
			page := strings.TrimRight(d.Index, "/") + "/" + d.Name + "/"
			if slices.Contains(c.links(), d.Index) {
				page = d.Index
			}
			if c.concerns(d) && d.Index != "" && !c.isDirect(d) && isForeign(d) {
				list = append(list, Foreign{d, page})
			}
		}
	}
	return list
}

// Witness asks indexes what they name, and keeps that: they are asked once.
type Witness struct {
	Client *fetch.Client
	Dir    string // of the cache folder
}

// Confirm wants the indexes to name the files.
func (w Witness) Confirm(ctx context.Context, list []Foreign) error {
	faults := make([]error, len(list))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(16)
	for i, f := range list {
		group.Go(func() error {
			var known bool
			if !readKept(w.path(f), &known) {
				faults[i] = w.ask(ctx, f)
			}
			return ctx.Err()
		})
	}
	return errors.Join(group.Wait(), errors.Join(faults...))
}

func (w Witness) ask(ctx context.Context, f Foreign) error {
	ctx, err := door.Guard(ctx, f.Index)
	if err != nil {
		return err
	}
	files, err := door.ReadPage(ctx, w.Client, f.page)
	if unlessMissing(err) != nil {
		return fmt.Errorf("asking for %s %s, whose file is on another server: %w", f.Name, f.Version, fetch.Explain(err))
	}
	said, ok := files[door.Key(f.URL)]
	if sum := said.Hashes["sha256"]; !ok || sum != "" && sum != f.SHA256 {
		err := fmt.Errorf("%s %s: %s doesn't name %s with the sha256 that is locked", f.Name, f.Version, fetch.Redact(f.page), fetch.Redact(f.URL))
		return failure.WithHint(failure.New(failure.Findings, err), "\"build lock\" takes what the index names now")
	}
	return w.Keep([]Foreign{f})
}

// Keep notes what indexes have named.
func (w Witness) Keep(list []Foreign) error {
	for _, f := range list {
		if err := keep(w.path(f), true); err != nil {
			return fmt.Errorf("keeping what %s names: %w", f.Index, err)
		}
	}
	return nil
}

func (w Witness) path(f Foreign) string {
	sum := sha256.Sum256([]byte(f.page + "\n" + f.URL + "\n" + f.SHA256))
	return filepath.Join(w.Dir, hex.EncodeToString(sum[:])+".json")
}
