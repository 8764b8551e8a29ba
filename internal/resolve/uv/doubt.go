package uv

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
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

// Doubt is a distribution whose locked origin needs confirmation: it is from an index that
// neither the spec nor the user names, or on another server than its index. Only a named
// index can confirm that it has this file.
type Doubt struct {
	lock.Distribution
	pages []string // of named indexes that may list it
	named bool     // its index is named, and must list it at this very address
}

// Doubtful returns the doubts about a lock that answers the requests.
func Doubtful(requests []Request, l lock.Lock, where Indexes) (list []Doubt) {
	for _, r := range requests {
		c := newClaim(r, l, where)
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

// Witness asks indexes about files, and caches the answers: each is asked once.
type Witness struct {
	Client *fetch.Client
	Dir    string // of the cache directory
}

// Confirm requires named indexes to have the files, and returns, by sha256, their addresses
// for files of unnamed indexes: a lock must not send an engine to arbitrary hosts.
func (w Witness) Confirm(ctx context.Context, list []Doubt) (found map[string]string, err error) {
	problems, where := make([]error, len(list)), make([]string, len(list))
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(16)
	for i, d := range list {
		group.Go(func() error {
			if !readKept(w.path(d), &where[i]) {
				where[i], problems[i] = w.ask(groupCtx, d)
			}
			return groupCtx.Err()
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	unknown := map[string][]string{} // by index
	found = map[string]string{}
	for i, d := range list {
		switch {
		case problems[i] == nil && where[i] == "":
			unknown[d.Index] = append(unknown[d.Index], title(d.Distribution))
		case !d.named:
			found[d.SHA256] = where[i]
		}
	}
	for _, index := range slices.Sorted(maps.Keys(unknown)) {
		problems = append(problems, strangeTo(index, unknown[index]))
	}
	return found, errors.Join(problems...)
}

// Believed returns a lock with trusted addresses: those that indexes confirmed, and the
// pinned one of uv if the lock's is not on the host of an index.
func Believed(l lock.Lock, found map[string]string, indexes []string) lock.Lock {
	l.Distributions = slices.Clone(l.Distributions)
	for i, d := range l.Distributions {
		l.Distributions[i].URL = cmp.Or(found[d.SHA256], d.URL)
	}
	isItsHost := func(index string) bool { return hostOf(index) == hostOf(l.UV.URL) }
	pinned, err := uvWheel(l.Platform)
	if err == nil && l.UV.URL != "" && !slices.ContainsFunc(append(indexes, pinned.URL), isItsHost) {
		l.UV.URL = pinned.URL
	}
	return l
}

// strangeTo is the error for files of an unnamed index that no named one has.
func strangeTo(index string, titles []string) error {
	which := titles[0]
	if n := len(titles) - 1; n > 0 {
		which += " and " + humanize.Count(n, "other")
	}
	index = fetch.Redact(index)
	err := failure.New(failure.Findings, fmt.Errorf("%s: from the index %s, which neither the spec nor the environment names; no named index has this file", which, index))
	return failure.WithHint(err, fmt.Sprintf("if you trust that index, name it: --python-index %s, or a [[python.index]] of image.toml", index))
}

// ask returns the address of one file; "" if no named index has it.
func (w Witness) ask(ctx context.Context, d Doubt) (where string, err error) {
	var failed error
	for _, page := range d.pages {
		guarded, problem := door.Guard(ctx, page)
		if problem != nil {
			return "", problem
		}
		files, problem := door.ReadPage(guarded, w.Client, page)
		for key, f := range files {
			if d.is(key, f) {
				return f.URL, w.keep(d, f.URL)
			}
		}
		if problem = unlessMissing(problem); failed == nil && problem != nil {
			failed = fmt.Errorf("asking whether an index has %s %s: %w", d.Name, d.Version, fetch.Explain(problem))
		}
	}
	if failed != nil || !d.named {
		return "", failed
	}
	err = fmt.Errorf("%s %s: %s doesn't list %s with the locked sha256", d.Name, d.Version, fetch.Redact(d.Index), fetch.Redact(d.URL))
	return "", failure.WithHint(failure.New(failure.Findings, err), "run \"build lock\" to use what the index lists now")
}

// is reports whether an index's entry is the file of d.
func (d Doubt) is(key string, f door.File) bool {
	sum := f.Hashes["sha256"]
	if d.named {
		return key == door.Key(d.URL) && (sum == "" || sum == d.SHA256)
	}
	return f.Name == d.File && sum == d.SHA256
}

// Keep records as confirmed the files of a lock that was just made.
func (w Witness) Keep(list []Doubt) error {
	problems := make([]error, len(list))
	for i, d := range list {
		problems[i] = w.keep(d, d.URL)
	}
	return errors.Join(problems...)
}

func (w Witness) keep(d Doubt, where string) error {
	if err := keep(w.path(d), where); err != nil {
		return fmt.Errorf("caching the files of %s: %w", d.Index, err)
	}
	return nil
}

func (w Witness) path(d Doubt) string {
	sum := sha256.Sum256([]byte(strings.Join(append(d.pages, d.URL, d.File, d.SHA256), "\n")))
	return filepath.Join(w.Dir, hex.EncodeToString(sum[:])+".json")
}
