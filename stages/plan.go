package stages

import (
	"cmp"
	"fmt"
	"slices"

	"lamina.build/llb"
	"lamina.build/lock"
)

// How wheels are divided over layers, by their size as locked, in bytes.
//
// A heavy wheel gets its own layer: it changes alone, and moves alone. The others are in two
// layers. Small ones change often, with every release of some library in pure Python;
// medium ones (NumPy, SciPy, OpenCV: most of the bytes) change seldom, and are unaffected
// if they are apart. Finer layers would save little and cost each pull a request; one layer
// for all would move hundreds of megabytes for one line of Python.
const (
	heavyWheel  = 100_000_000
	mediumWheel = 10_000_000
	// WheelLayers is how many of the [llb.MaxLayers] layers of an image Python packages may
	// use: the rest is for models.
	WheelLayers = 60
)

// Layers returns how many layers the image has, without the caller's own.
func (in Input) Layers() (n int) {
	parts, _ := draw(in).parts(nil)
	for _, p := range parts {
		n += len(p.Layers)
	}
	return n
}

// ModelLayers returns how many layers are left for a model that is not packed yet. One is
// reserved for the app, even if there is none.
func (in Input) ModelLayers() int {
	left := llb.MaxLayers - in.Layers()
	if !in.App.brings() {
		left--
	}
	return left
}

// JoinedWheels returns how many wheels of 100 MB and more share a layer because the image can't
// have a layer for each.
func (in Input) JoinedWheels() int {
	_, joined := in.groups()
	return joined
}

// groups returns the plan of the locked wheels, which get the layers that built ones leave.
func (in Input) groups() (groups []wheelGroup, joined int) {
	wheels := slices.DeleteFunc(in.Lock.PythonIn(in.Variant), func(d lock.Distribution) bool { return !d.IsWheel() })
	return planWheels(wheels, WheelLayers-len(in.sdists())-len(in.Sources))
}

// sdists returns the locked files and git trees to build.
func (in Input) sdists() []lock.Distribution {
	return slices.DeleteFunc(in.Lock.PythonIn(in.Variant), lock.Distribution.IsWheel)
}

// wheelGroup holds the wheels of one layer.
type wheelGroup struct {
	name   string // "torch 2.6.0", "medium wheels", "small wheels"
	wheels []lock.Distribution
}

// planWheels divides wheels over at most limit layers, and at least two. It depends on nothing
// else, not even the order of wheels. If there are too many heavy ones, the lightest joined
// of them count as medium.
func planWheels(wheels []lock.Distribution, limit int) (groups []wheelGroup, joined int) {
	var heavy, medium, small []lock.Distribution
	for _, d := range slices.SortedFunc(slices.Values(wheels), bySize) {
		switch {
		case d.Size < mediumWheel:
			small = append(small, d)
		case d.Size < heavyWheel:
			medium = append(medium, d)
		case len(heavy) < max(limit-2, 0):
			heavy = append(heavy, d)
		default:
			medium = append(medium, d)
			joined++
		}
	}
	for _, d := range byName(heavy) {
		groups = append(groups, wheelGroup{title(d), []lock.Distribution{d}})
	}
	for _, g := range []wheelGroup{{"medium wheels", byName(medium)}, {"small wheels", byName(small)}} {
		if len(g.wheels) > 0 {
			groups = append(groups, g)
		}
	}
	return groups, joined
}

// bySize sorts the largest first.
func bySize(a, b lock.Distribution) int {
	return cmp.Or(-cmp.Compare(a.Size, b.Size), cmp.Compare(a.Name, b.Name))
}

func byName(list []lock.Distribution) []lock.Distribution {
	return slices.SortedFunc(slices.Values(list), func(a, b lock.Distribution) int { return cmp.Compare(a.Name, b.Name) })
}

// names returns the names of the projects in a list.
func names(list []lock.Distribution) []string {
	names := make([]string, len(list))
	for i, d := range list {
		names[i] = d.Name
	}
	return names
}

func title(d lock.Distribution) string { return d.Name + " " + d.Version }

// layer describes the layer of a group.
func (g wheelGroup) layer() Layer {
	l := Layer{What: fmt.Sprintf("%d %s", len(g.wheels), g.name)}
	if len(g.wheels) == 1 {
		l.What = title(g.wheels[0])
	}
	for _, d := range g.wheels {
		l.Fetched += d.Size
		l.Unpacked += d.Unpacked
	}
	return l
}
