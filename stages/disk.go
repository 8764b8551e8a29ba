package stages

import (
	"fmt"

	"github.com/opencontainers/go-digest"

	"lamina.build/lock"
)

// What becomes of a hundred bytes of a package or a wheel on the disk of an engine: in the
// middle between Python code and CUDA libraries, where these differ.
const (
	unpackedDeb     = 365 // without documentation
	compressedDeb   = 110 // as a layer of the image
	unpackedWheel   = 330 // where the lock doesn't know
	withBytecode    = 110 // of a hundred that a wheel unpacks to
	compressedWheel = 90
	builtOfSources  = 600 // nobody knows beforehand
)

// Disk is how many bytes an engine writes below its root to make what is locked, by the
// steps that write them. The name of a step holds all that it depends on: what was made
// under that name isn't made again. Trees and weights are no part of it.
func (in Input) Disk() map[string]int64 {
	n := need{steps: map[string]int64{}, fetched: map[string]bool{}}
	builder := n.install("builder", in.Lock.In(lock.SetBuilder, in.Variant), 0)
	what := fmt.Sprint("runtime", in.Exclude, in.Keep, in.Debconf)
	if in.App != nil {
		what += fmt.Sprint(in.App.User, in.App.FirstStart)
	}
	runtime := n.install(what, in.Lock.In(lock.SetRuntime, in.Variant), compressedDeb)
	n.install("extra on "+runtime, in.Lock.In(lock.SetExtra, in.Variant), compressedDeb)
	if uv := in.Lock.UV; uv.SHA256 != "" {
		n.wheels(builder, []lock.Distribution{uv.Wheel()}, 0)
	}
	groups, _ := in.groups()
	for _, g := range groups {
		n.wheels(fmt.Sprint(builder, rulesFor(in.Python.Prune, g.wheels)), g.wheels, compressedWheel)
	}
	for _, s := range in.sdists() {
		env := n.wheels(builder, in.Lock.BuildIn(s.Name, in.Variant), 0)
		n.step(env+s.URL+s.SHA256, n.fetch(s.SHA256, s.Size)+s.Size/100*builtOfSources)
	}
	return n.steps
}

// need is what steps write, in bytes. No sum comes near an overflow: [lock.Parse] bounds
// what all files have together.
type need struct {
	steps   map[string]int64 // by their names
	fetched map[string]bool  // by SHA-256: no file is fetched twice
}

func (n need) step(what string, size int64) (name string) {
	name = digest.FromString(what).Encoded()
	if size > 0 {
		n.steps[name] = size
	}
	return name
}

func (n need) fetch(sha256 string, size int64) int64 {
	if n.fetched[sha256] {
		return 0
	}
	n.fetched[sha256] = true
	return size
}

// install adds packages, which are gathered, unpacked, and copied into a layer.
func (n need) install(what string, packages []lock.Package, blob int64) (name string) {
	var size int64
	for _, p := range packages {
		what += " " + p.SHA256
		size += n.fetch(p.SHA256, p.Size) + p.Size/100*(100+2*unpackedDeb+blob)
	}
	return n.step(what, size)
}

// wheels adds a layer of wheels, which are installed right into it.
func (n need) wheels(what string, wheels []lock.Distribution, blob int64) (name string) {
	var size int64
	for _, d := range wheels {
		what += " " + d.SHA256
		size += n.fetch(d.SHA256, d.Size) + d.Size/100*blob
		if d.Unpacked > 0 {
			size += d.Unpacked / 100 * withBytecode
		} else {
			size += d.Size / 100 * unpackedWheel
		}
	}
	return n.step(what, size)
}
