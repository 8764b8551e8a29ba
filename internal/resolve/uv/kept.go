package uv

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sync"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"lamina.build/internal/atomicfile"
	"lamina.build/internal/fetch"
	"lamina.build/internal/resolve/door"
	"lamina.build/lock"
)

var hexSHA256 = regexp.MustCompile(`^[0-9a-f]{64}$`)

// keptFormat is part of cache file names: other formats are never read.
const keptFormat = "5"

// keptPath is the cache file for the content of a wheel, by its address and sha256, so that
// locking again inspects only new wheels.
func (o Options) keptPath(d *distribution) string {
	sum := d.Hashes["sha256"]
	if o.CacheDir == "" || !hexSHA256.MatchString(sum) {
		return ""
	}
	at := sha256.Sum256([]byte(d.URL + "#" + sum)) // an index may lie about the sha256
	return filepath.Join(o.CacheDir, keptFormat, hex.EncodeToString(at[:])+".json")
}

// kept returns the cached content of a wheel, or nil.
func (o Options) kept(d *distribution) *wheel {
	var w wheel
	name := o.keptPath(d)
	if name == "" || d.Kind != kindWheel || !readKept(name, &w) || w.Metadata == "" || w.Name == "" {
		return nil
	}
	return &w
}

func (o Options) keep(d *distribution) error {
	name := o.keptPath(d)
	if name == "" {
		return nil
	}
	if err := keep(name, d.wheel); err != nil {
		return fmt.Errorf("caching the content of %s: %w", d.File, err)
	}
	return nil
}

// readKept reads a cache file. Any error is a cache miss.
func readKept(name string, into any) bool {
	data, err := os.ReadFile(name) //nolint:gosec // a file of the cache directory
	return err == nil && json.Unmarshal(data, into) == nil
}

func keep(name string, value any) error {
	data, err := json.Marshal(value)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(name), 0o700)
	}
	if err != nil {
		return err
	}
	return atomicfile.Write(name, data, 0o644)
}

// Mirror is an index that may have the files that a lock has from another one.
type Mirror struct {
	Client *fetch.Client
	Index  string   // its URL
	Named  []string // indexes of the spec and its requirement files, which neither are nor have mirrors
	Dir    string   // of the cache directory, for earlier results
	Note   func(string)

	Has map[string]string // its addresses of the lock's files, by sha256
}

// Find looks for the files of a lock, by name and sha256. Those that the mirror lacks, or
// all if it can't be asked, are left to the addresses in the lock.
func (m *Mirror) Find(ctx context.Context, l lock.Lock) error {
	if slices.Contains(m.Named, m.Index) {
		return nil
	}
	wanted := map[string][]lock.Distribution{}
	for _, d := range l.Distributions {
		if d.Index != "" && d.Index != m.Index && !slices.Contains(m.Named, d.Index) {
			wanted[d.Name] = append(wanted[d.Name], d)
		}
	}
	if uv := l.UV; uv.SHA256 != "" && len(wanted) > 0 {
		wanted["uv"] = append(wanted["uv"], lock.Distribution{Name: "uv", File: uv.File, SHA256: uv.SHA256})
	}
	if len(wanted) == 0 {
		return nil
	}
	m.Has = m.read()
	maps.DeleteFunc(wanted, func(_ string, list []lock.Distribution) bool {
		return !slices.ContainsFunc(list, func(d lock.Distribution) bool { return m.Has[d.SHA256] == "" })
	})
	if len(wanted) == 0 {
		return nil
	}
	if err := m.ask(ctx, wanted); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		m.Note(fmt.Sprintf("%s: %v; files are fetched from their locked addresses", m.Index, err))
	}
	return m.write(m.Has)
}

// ask fills in the mirror's files. The first error ends it.
func (m *Mirror) ask(ctx context.Context, wanted map[string][]lock.Distribution) error {
	var mu sync.Mutex
	ctx, err := door.Guard(ctx, m.Index)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(16)
	for project, list := range wanted {
		group.Go(func() error {
			files, err := door.ReadProject(ctx, m.Client, m.Index, project)
			if err != nil {
				return unlessMissing(err)
			}
			mu.Lock()
			defer mu.Unlock()
			for _, f := range files {
				for _, d := range list {
					if f.Name == d.File && (f.Hashes["sha256"] == d.SHA256 || f.Hashes["sha256"] == "") {
						m.Has[d.SHA256] = f.URL
					}
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// Forget drops the mirror's address of a file, so that the next Find asks again.
func (m *Mirror) Forget(sha256 string) error {
	delete(m.Has, sha256)
	kept := m.read() // m.Has may lack others for this run only
	delete(kept, sha256)
	return m.write(kept)
}

func (m *Mirror) path() string {
	return filepath.Join(m.Dir, digest.FromString(m.Index).Encoded()[:32]+".json")
}

func (m *Mirror) read() map[string]string {
	found := map[string]string{}
	if !readKept(m.path(), &found) || found == nil {
		return map[string]string{}
	}
	return found
}

func (m *Mirror) write(found map[string]string) error {
	if err := keep(m.path(), found); err != nil {
		return fmt.Errorf("caching the files of %s: %w", m.Index, err)
	}
	return nil
}
