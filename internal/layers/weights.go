package layers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"runtime"
	"slices"
	"strings"

	"github.com/containerd/containerd/v2/core/content"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"lamina.build/llb"
)

// WeightsOptions configure [Weights].
type WeightsOptions struct {
	Name     string // for people: the layers are named "NAME/FILE"
	FS       fs.FS  // of an [os.Root]
	Target   string // absolute and clean
	Include  []string
	Exclude  []string
	Rename   map[string]string // path in FS → path below Target
	Keep     llb.Exclude       // private keys to include, by their paths in the image
	Limit    int               // maximum number of layers; none if not positive
	Platform ocispec.Platform
	Note     func(string) // gets news for the user; may be nil
}

// Weights packs a model as uncompressed layers, divided by [Plan].
func Weights(ctx context.Context, store content.Store, o WeightsOptions) ([]llb.Layer, error) {
	entries, err := selectWeights(o)
	if err != nil {
		return nil, fmt.Errorf("packing weights %q: %w", o.Name, err)
	}
	bundles, joined := Plan(sizes(entries), o.Limit)
	if joined && o.Note != nil {
		o.Note(fmt.Sprintf("weights %q: %d files joined into %d layers, since no more are allowed",
			o.Name, len(entries), len(bundles)))
	}
	layers := make([]llb.Layer, len(bundles))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0)) // hashing takes most of the time
	for i, b := range bundles {
		group.Go(func() (err error) {
			name := layerName(o.Name, b, strings.TrimPrefix(o.Target, "/"))
			layers[i], err = seal(ctx, store, name, withParents(pick(entries, b)), Uncompressed, o.Platform)
			return err
		})
	}
	return layers, group.Wait()
}

// selectWeights lists the model's files by their path in the image.
func selectWeights(o WeightsOptions) (map[string]entry, error) {
	target, err := targetDir(o.Target)
	if err != nil {
		return nil, err
	}
	found, err := scan(o.FS, o.Target, o.Include, o.Exclude, nil, nil)
	if err == nil {
		err = errors.Join(checkKeys(found, func(name string) string { return path.Join(o.Target, cmp.Or(o.Rename[name], name)) }, o.Keep)...)
	}
	if err != nil {
		return nil, err
	}
	found = slices.DeleteFunc(found, func(e entry) bool { return e.kind == directory })
	if len(found) == 0 {
		return nil, ErrEmpty
	}
	entries := make(map[string]entry, len(found))
	renamed := map[string]bool{}
	var problems []error
	for _, e := range found {
		from := e.name
		if to, ok := o.Rename[from]; ok {
			renamed[from] = true
			if to == "." || !fs.ValidPath(to) || strings.ContainsRune(to, 0) {
				problems = append(problems, &EntryError{
					Path: from, Reason: fmt.Sprintf("new name %q is not a clean path below the target", to),
				})
				continue
			}
			e.name = to
		}
		if e.kind == symlink {
			problems = append(problems, &EntryError{
				Path: from, Reason: "is a symlink, but weights must be files",
				hint: "replace it with the file: copy a model cache made of links with cp -L",
			})
		}
		e.name = path.Join(target, e.name)
		if _, ok := entries[e.name]; ok {
			problems = append(problems, &EntryError{Path: from, Reason: "another file has the same name in the image"})
		}
		entries[e.name] = e
	}
	for from := range o.Rename {
		if !renamed[from] {
			problems = append(problems, &EntryError{
				Path: from, Reason: "should be renamed, but is not among the files",
			})
		}
	}
	return entries, errors.Join(append(sortProblems(problems), nested(entries)...)...)
}

// nested reports files whose path lies below another file, which a rename may cause.
func nested(entries map[string]entry) (problems []error) {
	for name := range entries {
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			if _, ok := entries[dir]; ok {
				problems = append(problems, &EntryError{
					Path: name, Reason: fmt.Sprintf("lies below the file %q", dir),
				})
			}
		}
	}
	return sortProblems(problems)
}

func sortProblems(problems []error) []error {
	slices.SortFunc(problems, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return problems
}

func sizes(entries map[string]entry) []Size {
	list := make([]Size, 0, len(entries))
	for name, e := range entries {
		list = append(list, Size{Path: name, Bytes: e.size})
	}
	return list
}

func pick(entries map[string]entry, b Bundle) []entry {
	picked := make([]entry, len(b.Files))
	for i, f := range b.Files {
		picked[i] = entries[f.Path]
	}
	return picked
}

func layerName(model string, b Bundle, target string) string {
	first := strings.TrimPrefix(strings.TrimPrefix(b.Files[0].Path, target), "/")
	if more := len(b.Files) - 1; more > 0 {
		return fmt.Sprintf("%s/%s and %d more", model, first, more)
	}
	return model + "/" + first
}
