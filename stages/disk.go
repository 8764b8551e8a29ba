package stages

import (
	"fmt"

	"github.com/opencontainers/go-digest"

	"lamina.build/lock"
)

// The size on an engine's disk, in percent of a package or a wheel: the middle between Python
// code and CUDA libraries, where these differ.
const (
	unpackedDeb     = 365 // without documentation
	compressedDeb   = 110 // as a layer of the image
	unpackedWheel   = 330 // if the lock doesn't say
	withBytecode    = 110 // in percent of the unpacked size
	compressedWheel = 90
	builtOfSources  = 600 // a guess
)

// Disk returns how many bytes each step of an engine writes below its root to make what is
// locked. The name of a step covers all that it depends on: a step of the same name isn't
// run again. Trees and weights don't count.
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

// need collects what steps write, in bytes. No sum can overflow: [lock.Parse] limits the total
// size of all files.
type need struct {
	steps   map[string]int64 // by their names
	fetched map[string]bool  // by SHA-256, since no file is fetched twice
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

// install adds packages, which are gathered, unpacked and copied into a layer.
func (n need) install(what string, packages []lock.Package, blob int64) (name string) {
	var size int64
	for _, p := range packages {
		what += " " + p.SHA256
		size += n.fetch(p.SHA256, p.Size) + p.Size/100*(100+2*unpackedDeb+blob)
	}
	return n.step(what, size)
}

// wheels adds a layer of wheels, which are installed directly into it.
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
