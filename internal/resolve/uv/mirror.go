package uv

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"lamina.build/internal/atomicfile"
	"lamina.build/internal/fetch"
	"lamina.build/internal/resolve/door"
	"lamina.build/lock"
)

// MirrorOptions say where the files of a lock are looked for.
type MirrorOptions struct {
	Client *fetch.Client
	Index  string   // the mirror, URL
	Named  []string // indexes of the spec and its requirement files: these are nobody's mirrors, nor mirrored
	Dir    string   // of the cache folder, for what was found before
	Note   func(string)
}

// Mirrored returns where a mirror has the files of a lock that another index
// named, by their sha256. A file is the same by its name and its sha256, so that
// one which the mirror lacks is left to the address in the lock; so is everything
// where the mirror can't be asked.
func Mirrored(ctx context.Context, o MirrorOptions, l lock.Lock) (map[string]string, error) {
	if slices.Contains(o.Named, o.Index) {
		return nil, nil
	}
	wanted := map[string][]lock.Distribution{}
	for _, d := range l.Distributions {
		if d.Index != "" && d.Index != o.Index && !slices.Contains(o.Named, d.Index) {
			wanted[d.Name] = append(wanted[d.Name], d)
		}
	}
	if uv := l.UV; uv.SHA256 != "" && len(wanted) > 0 {
		wanted["uv"] = append(wanted["uv"], lock.Distribution{Name: "uv", File: uv.File, SHA256: uv.SHA256})
	}
	if len(wanted) == 0 {
		return nil, nil
	}
	found := o.read()
	missing := maps.Clone(wanted)
	maps.DeleteFunc(missing, func(_ string, list []lock.Distribution) bool {
		return !slices.ContainsFunc(list, func(d lock.Distribution) bool { return found[d.SHA256] == "" })
	})
	if len(missing) == 0 {
		return found, nil
	}
	if err := o.ask(ctx, missing, found); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		o.Note(fmt.Sprintf("%s: %v; files are fetched from where they were locked", o.Index, err))
	}
	return found, o.write(found)
}

// ask fills in what the mirror has. The first trouble ends it.
func (o MirrorOptions) ask(ctx context.Context, wanted map[string][]lock.Distribution, found map[string]string) error {
	var mu sync.Mutex
	ctx, err := door.Guard(ctx, o.Index)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(16)
	for project, list := range wanted {
		group.Go(func() error {
			files, err := door.ReadPage(ctx, o.Client, o.Index+"/"+project+"/")
			if status, ok := errors.AsType[*fetch.StatusError](err); ok && status.Code == http.StatusNotFound {
				return nil
			}
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			for _, f := range files {
				for _, d := range list {
					if f.Name == d.File && (f.Hashes["sha256"] == d.SHA256 || f.Hashes["sha256"] == "") {
						found[d.SHA256] = f.URL
					}
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// Forget forgets where the mirror had a file, so that it is asked again.
func (o MirrorOptions) Forget(sha256 string) error {
	found := o.read()
	delete(found, sha256)
	return o.write(found)
}

func (o MirrorOptions) path() string {
	return filepath.Join(o.Dir, digest.FromString(o.Index).Encoded()[:32]+".json")
}

func (o MirrorOptions) read() map[string]string {
	found := map[string]string{}
	data, err := os.ReadFile(o.path())
	if err != nil || json.Unmarshal(data, &found) != nil {
		return map[string]string{}
	}
	return found
}

func (o MirrorOptions) write(found map[string]string) error {
	data, err := json.Marshal(found)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return fmt.Errorf("keeping what %s has: %w", o.Index, err)
	}
	return atomicfile.Write(o.path(), data, 0o644)
}
