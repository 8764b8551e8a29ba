package rehearsal

import (
	"io/fs"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"lamina.build/internal/debian"
	"lamina.build/internal/testworld"
)

const specName = "image.toml"

// Options say what a world is made from.
type Options struct {
	Example fs.FS          // examples/wan22-animate, or what a user made of it
	Getter  *debian.Getter // for the packages that compile; one that keeps what it fetches
	Mirrors debian.Mirrors

	// Address is where the world listens: a lock of an earlier one at the same address
	// is one of this world, too. It is a free port of this machine where empty.
	Address string
}

// World is the outside of the example.
type World struct {
	*testworld.World

	Hub       *testworld.Hub
	PyPI      *testworld.Index
	PyTorch   map[string]*testworld.Index // by "cu124"
	Wan, SAM2 *testworld.Git

	example      fs.FS
	texts        map[string]string
	replacements []Replacement
}

// New starts the servers. They end with the test; a program has one of
// [testworld.During].
func New(t testing.TB, o Options) *World {
	t.Helper()
	address := o.Address
	if address == "" {
		address = "127.0.0.1:0"
	}
	w := &World{World: testworld.NewAt(t, address), PyTorch: map[string]*testworld.Index{}, example: Example(o.Example)}
	err := Check(w.example)
	if err == nil {
		w.texts, err = texts(w.example)
	}
	if err != nil {
		t.Fatal(err)
	}
	dists, err := distributions(t, o, w.texts)
	if err != nil {
		t.Fatal(err)
	}
	w.publish(dists)
	w.putFlashAttention(t)
	w.Wan, w.SAM2 = wan(w.World), sam2(w.World)
	w.Hub = w.World.Hub(testworld.HubOptions{})
	w.putModel(t)
	w.replacements = w.replace()
	return w
}

// Env is what a build and an app need to know of the world beside the project:
// where the hub is, and what stands for PyPI.
func (w *World) Env() []string {
	return []string{"HF_ENDPOINT=" + w.Hub.Endpoint, "LAMINA_PYTHON_INDEX=" + w.PyPI.URL}
}

// Address is where the world listens, as [Options] has it.
func (w *World) Address() string { return strings.TrimPrefix(w.URL, "http://") }

// made is a distribution and the index that it is in, PyPI's where that has no name.
type made struct {
	offer

	file testworld.Distribution
}

func distributions(t testing.TB, o Options, texts map[string]string) ([]made, error) {
	t.Helper()
	table, err := closure()
	if err != nil {
		return nil, err
	}
	packages, err := debianFiles(t.Context(), o.Getter, o.Mirrors)
	if err != nil {
		return nil, err
	}
	libs := libraries()
	offers := offered(table, pins(texts))
	list := make([]made, len(offers))
	group := errgroup.Group{}
	for i, one := range offers {
		group.Go(func() error {
			list[i] = made{one, one.make(libs, packages)}
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

func (w *World) publish(dists []made) {
	files := map[string][]testworld.Distribution{}
	for _, d := range dists {
		files[d.index] = append(files[d.index], d.file)
	}
	for name, list := range files {
		if name == "" {
			w.PyPI = w.Index(testworld.IndexOptions{Path: "pypi/simple", JSON: true, Metadata: true}, list...)
			continue
		}
		w.PyTorch[name] = w.Index(testworld.IndexOptions{Path: "whl/" + name}, list...)
	}
}

// Size is the size of all files of the indexes together.
func (w *World) Size() int64 {
	all := w.PyPI.Size()
	for _, x := range w.PyTorch {
		all += x.Size()
	}
	return all
}
