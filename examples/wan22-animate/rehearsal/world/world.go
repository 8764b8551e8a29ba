package world

import (
	"context"
	"io/fs"
	"testing"

	"golang.org/x/sync/errgroup"

	"lamina.build/internal/debian"
	"lamina.build/internal/test/testworld"
)

const specName = "image.toml"

// Options say what a world is made from.
type Options struct {
	Example fs.FS          // examples/wan22-animate, or a user's variation of it
	Getter  *debian.Getter // for the build packages; it caches what it fetches
	Mirrors debian.Mirrors

	// Upstream is set if Python packages come from PyPI instead of stand-ins.
	Upstream *Upstream
}

// Upstream holds the files of the two git repositories, for stand-ins that are nearly
// the real ones.
type Upstream struct{ Wan, SAM2 map[string]string }

// World is the outside of the example.
type World struct {
	*testworld.World

	Hub       *testworld.Hub
	PyPI      *testworld.Index // nil if the real one is used
	Wan, SAM2 *testworld.Git

	example      fs.FS
	texts        map[string]string
	replacements []Replacement
}

// New starts the servers, which end with the test; a program gets one from
// [testworld.During].
func New(t testing.TB, o Options) *World {
	t.Helper()
	w := &World{World: testworld.New(t), example: Example(o.Example)}
	err := Check(w.example)
	if err == nil {
		w.texts, err = texts(w.example)
	}
	if err != nil {
		t.Fatal(err)
	}
	if o.Upstream != nil {
		w.Wan, w.SAM2 = w.Git(wanName, o.Upstream.Wan), w.Git(sam2Name, o.Upstream.SAM2)
	} else {
		w.publish(t, o)
		w.Wan, w.SAM2 = wan(w.World), sam2(w.World)
	}
	w.Hub = w.World.Hub(testworld.HubOptions{})
	w.putModels(t)
	w.replacements = w.replace()
	return w
}

// Env returns the variables of a build and an app in the world: the addresses of the
// hub, and of the stand-in for PyPI.
func (w *World) Env() []string {
	env := []string{"HF_ENDPOINT=" + w.Hub.Endpoint}
	if w.PyPI != nil {
		env = append(env, "LAMINA_PYTHON_INDEX="+w.PyPI.URL)
	}
	return env
}

// publish makes all distributions concurrently, and an index with them.
func (w *World) publish(t testing.TB, o Options) {
	t.Helper()
	list, err := distributions(t.Context(), o, w.texts)
	if err != nil {
		t.Fatal(err)
	}
	w.PyPI = w.Index(testworld.IndexOptions{Path: "pypi/simple", JSON: true, Metadata: true}, list...)
}

func distributions(ctx context.Context, o Options, texts map[string]string) ([]testworld.Distribution, error) {
	table, err := closure()
	if err != nil {
		return nil, err
	}
	packages, err := debianFiles(ctx, o.Getter, o.Mirrors)
	if err != nil {
		return nil, err
	}
	libs := libraries()
	offers := offered(table, pins(texts))
	list := make([]testworld.Distribution, len(offers))
	group := errgroup.Group{}
	for i, one := range offers {
		group.Go(func() error {
			list[i] = one.make(libs, packages)
			return nil
		})
	}
	return list, group.Wait()
}

func (o offer) make(libs []library, packages map[string]map[string]string) testworld.Distribution {
	switch o.kind {
	case "sdist":
		return o.sdist()
	case "debian":
		return repack(o.name, o.version, packages)
	default:
		return o.wheel(libs)
	}
}

// Size is the size of all files of the index together.
func (w *World) Size() int64 { return w.PyPI.Size() }
