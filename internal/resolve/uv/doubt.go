package uv

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"lamina.build/internal/failure"
	"lamina.build/internal/fetch"
	"lamina.build/internal/humanize"
	"lamina.build/internal/resolve/door"
	"lamina.build/lock"
)

// Doubt is a distribution that a lock has from where nobody can know it to be: from an index
// that neither the spec nor the user names, or from the server of somebody else than its
// index. Whether it is the file that a named index has is that one's to say.
type Doubt struct {
	lock.Distribution
	pages []string // of named indexes, which may have it
	named bool     // its index is, and has it at that very address
}

// Doubtful are those of a lock that answers the requests.
func Doubtful(requests []Request, l lock.Lock, where Indexes, project fs.FS) (list []Doubt) {
	for _, r := range requests {
		c := newClaim(r, l, where, project)
		for _, d := range l.Distributions {
			known := d.Index == "" || c.isDirect(d)
			named := c.mayServe(d.Index, d.Name, where)
			if !c.concerns(d) || known || named && !isForeign(d) {
				continue
			}
			indexes := append(c.serving(d.Name, where), c.links()...)
			if named {
				indexes = []string{d.Index}
			}
			doubt := Doubt{d, c.pages(indexes, d.Name), named}
			isIt := func(other Doubt) bool { return other.URL == d.URL && slices.Equal(other.pages, doubt.pages) }
			if !slices.ContainsFunc(list, isIt) {
				list = append(list, doubt)
			}
		}
	}
	return list
}

// pages are those of indexes that list the files of a project.
func (c claim) pages(indexes []string, project string) []string {
	pages := make([]string, len(indexes))
	for i, index := range indexes {
		if pages[i] = index; !slices.Contains(c.links(), index) {
			pages[i] = strings.TrimRight(index, "/") + "/" + project + "/"
		}
	}
	return pages
}

// Witness asks indexes what they have, and keeps that: they are asked once.
type Witness struct {
	Client *fetch.Client
	Dir    string // of the cache folder
}

// Confirm wants named indexes to have the files.
func (w Witness) Confirm(ctx context.Context, list []Doubt) error {
	faults, strange := make([]error, len(list)), make([]bool, len(list))
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(16)
	for i, d := range list {
		group.Go(func() error {
			var known bool
			if !readKept(w.path(d), &known) {
				strange[i], faults[i] = w.ask(groupCtx, d)
			}
			return groupCtx.Err()
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	unknown := map[string][]string{} // by index
	for i, d := range list {
		if strange[i] {
			unknown[d.Index] = append(unknown[d.Index], title(d.Distribution))
		}
	}
	for _, index := range slices.Sorted(maps.Keys(unknown)) {
		faults = append(faults, strangeTo(index, unknown[index]))
	}
	return errors.Join(faults...)
}

// strangeTo is about what an index is said to have that nobody names, and none that is
// named has.
func strangeTo(index string, titles []string) error {
	which := titles[0]
	if n := len(titles) - 1; n > 0 {
		which += " and " + humanize.Count(n, "other")
	}
	index = fetch.Redact(index)
	err := failure.New(failure.Findings, fmt.Errorf("%s: from the index %s, which neither the spec nor the environment names, and none that they name has this file", which, index))
	return failure.WithHint(err, fmt.Sprintf("if you trust that index, name it: --python-index %s, or a [[python.index]] of image.toml", index))
}

// ask asks for one file; isStrange is that no named index has it.
func (w Witness) ask(ctx context.Context, d Doubt) (isStrange bool, err error) {
	var failed error
	for _, page := range d.pages {
		guarded, fault := door.Guard(ctx, page)
		if fault != nil {
			return false, fault
		}
		files, fault := door.ReadPage(guarded, w.Client, page)
		for key, f := range files {
			if d.is(key, f) {
				return false, w.Keep([]Doubt{d})
			}
		}
		if fault = unlessMissing(fault); failed == nil && fault != nil {
			failed = fmt.Errorf("asking whether an index has %s %s: %w", d.Name, d.Version, fetch.Explain(fault))
		}
	}
	if failed != nil || !d.named {
		return failed == nil, failed
	}
	err = fmt.Errorf("%s %s: %s doesn't name %s with the sha256 that is locked", d.Name, d.Version, fetch.Redact(d.Index), fetch.Redact(d.URL))
	return false, failure.WithHint(failure.New(failure.Findings, err), "\"build lock\" takes what the index names now")
}

// is says whether an index means d by what it says of a file.
func (d Doubt) is(key string, f door.File) bool {
	sum := f.Hashes["sha256"]
	if d.named {
		return key == door.Key(d.URL) && (sum == "" || sum == d.SHA256)
	}
	return f.Name == d.File && sum == d.SHA256
}

// Keep notes what indexes have.
func (w Witness) Keep(list []Doubt) error {
	for _, d := range list {
		if err := keep(w.path(d), true); err != nil {
			return fmt.Errorf("keeping what %s has: %w", d.Index, err)
		}
	}
	return nil
}

func (w Witness) path(d Doubt) string {
	sum := sha256.Sum256([]byte(strings.Join(append(d.pages, d.URL, d.File, d.SHA256), "\n")))
	return filepath.Join(w.Dir, hex.EncodeToString(sum[:])+".json")
}
