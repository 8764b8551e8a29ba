package apt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/plugins/content/local"
	"github.com/containerd/platforms"
	"github.com/moby/buildkit/client"
	bkllb "github.com/moby/buildkit/client/llb"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/internal/atomicfile"
	"lamina.build/internal/debian"
	"lamina.build/internal/layers"
	"lamina.build/internal/solve"
	"lamina.build/llb"
	"lamina.build/lock"
)

// ask lets apt answer for all sets and returns the packages of each.
func (a *archive) ask(ctx context.Context, o Options) (found map[lock.Set][]*debian.Package, err error) {
	list, err := questions(o.Requirements.Requests)
	if err != nil {
		return nil, err
	}
	a.part = a.index.Part(asked(o.Requirements.Requests)...)
	// It is never committed: the next run removes what a killed one left.
	work, err := atomicfile.Dir(filepath.Join(o.Getter.CacheDir, "resolve"), 0o700)
	if err != nil {
		return nil, fmt.Errorf("making a directory for apt: %w", err)
	}
	defer func() { err = errors.Join(err, work.Close()) }()
	platform, err := platforms.Parse(o.Requirements.Platform)
	if err != nil {
		return nil, err
	}
	o.Progress("fetching apt")
	ls, err := a.pack(ctx, work.Name(), platform)
	if err != nil {
		return nil, err
	}
	o.Progress("apt resolves " + sets(o.Requirements.Requests))
	answers, err := run(ctx, o.Client, ls, platform, list)
	if err != nil {
		return nil, err
	}
	return a.sort(list, answers)
}

// asked returns the names of all requested packages.
func asked(requests []lock.Request) (names []string) {
	for _, r := range requests {
		for _, p := range r.Packages {
			if name, _, _ := cutName(p); name != essential {
				names = append(names, name)
			}
		}
	}
	return names
}

func sets(requests []lock.Request) string {
	names := make([]string, len(requests))
	for i, r := range requests {
		names[i] = r.Set.String()
	}
	return strings.Join(names, ", ")
}

// sort returns the packages of each set; for an addition, those that its base lacks.
func (a *archive) sort(list []question, answers []answer) (map[lock.Set][]*debian.Package, error) {
	found := map[lock.Set][]*debian.Package{}
	problems := make([]error, 0, len(list))
	for i, q := range list {
		packages, err := a.packages(q, answers[i])
		found[q.set] = packages
		problems = append(problems, err)
	}
	for _, q := range list {
		if q.kind == addition {
			found[q.set] = subtract(found[q.set], found[list[q.base].set])
		}
	}
	return found, errors.Join(problems...)
}

func subtract(from, packages []*debian.Package) []*debian.Package {
	drop := map[*debian.Package]bool{}
	for _, p := range packages {
		drop[p] = true
	}
	var left []*debian.Package
	for _, p := range from {
		if !drop[p] {
			left = append(left, p)
		}
	}
	return left
}

// footing has the layers that apt runs on, in their own content store.
type footing struct {
	store   content.Store
	tools   llb.Layer
	indexes llb.Layer
}

func (a *archive) pack(ctx context.Context, dir string, p ocispec.Platform) (ls footing, err error) {
	ls.store, err = local.NewStore(filepath.Join(dir, "store"))
	if err != nil {
		return ls, err
	}
	tools, indexes := filepath.Join(dir, "tools"), filepath.Join(dir, "indexes")
	if err = errors.Join(os.Mkdir(tools, 0o700), os.Mkdir(indexes, 0o700)); err != nil {
		return ls, err
	}
	if err = errors.Join(a.writeTools(ctx, tools), a.writeIndexes(indexes)); err != nil {
		return ls, err
	}
	if ls.tools, err = packDir(ctx, ls.store, "apt", tools, p); err != nil {
		return ls, err
	}
	ls.indexes, err = packDir(ctx, ls.store, "package indexes", indexes, p)
	return ls, err
}

// packDir packs an uncompressed layer: all large files in it are compressed already.
func packDir(
	ctx context.Context, store content.Store, name, dir string, p ocispec.Platform,
) (l llb.Layer, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return llb.Layer{}, err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	return layers.Tree(ctx, store, layers.TreeOptions{
		Name: name, FS: root.FS(), Target: "/", Compression: layers.Uncompressed, Platform: p,
	})
}

// steps draws two steps, so that the engine caches both of what seldom changes: apt itself
// and the answers.
func steps(ls footing, list []question) llb.State {
	step := func(name, script string, mounts ...llb.Mount) llb.Exec {
		return llb.Exec{
			Name:   name,
			Args:   []string{"/.lamina/busybox", "sh", "/.lamina/" + script},
			Mounts: append(mounts, llb.Mount{Target: "/.lamina", From: llb.Packed(ls.tools)}),
		}
	}
	indexes := llb.Mount{Target: "/repository", From: llb.Packed(ls.indexes)}
	apt := step("unpack apt", "extract.sh").On(bkllb.Scratch())
	return step("apt resolves packages", "ask.sh", indexes, llb.Mount{Target: "/questions", From: llb.Files("questions", files(list))}).
		Output(apt, "/answers")
}

// run has the engine solve the graph, and reads the answers.
func run(ctx context.Context, c *client.Client, ls footing, p ocispec.Platform, list []question) ([]answer, error) {
	names := make([]string, 0, 3*len(list))
	for i := range list {
		names = append(names, name(i)+".status", name(i)+".uris", name(i)+".log")
	}
	files, err := solve.Read(ctx, c, solve.ReadRequest{State: steps(ls, list), Names: names, Platform: p, Store: ls.store})
	if err != nil {
		return nil, fmt.Errorf("running apt in the engine: %w", err)
	}
	answers := make([]answer, len(list))
	for i := range list {
		own := files[3*i:]
		answers[i] = answer{status: string(own[0]), uris: string(own[1]), log: string(own[2])}
	}
	return answers, nil
}
