package stages

import (
	"cmp"
	"fmt"
	"slices"

	"lamina.build/lock"
)

// How wheels are divided over layers, by their size as locked, in bytes.
//
// A heavy wheel is a layer of its own: it changes alone, and moves alone. The
// others are two layers. What is small changes often, with every release of
// some library in pure Python; what is of medium size (NumPy, SciPy, OpenCV:
// most of the bytes) seldom does, and is spared by being apart. Finer layers
// would save little and cost each pull a request; a layer for all would move
// hundreds of megabytes for one line of Python.
const (
	HeavyWheel  = 100_000_000
	MediumWheel = 10_000_000
	// WheelLayers is how many layers Python packages may take, of the 127 that
	// an image may have: the rest is left to models.
	WheelLayers = 60
)

// WheelGroup is the wheels of one layer.
type WheelGroup struct {
	Name   string // "torch 2.6.0", "medium wheels", "small wheels"
	Wheels []lock.Distribution
}

// PlanWheels divides wheels over at most limit layers, and at least two. It
// depends on nothing else; the order of wheels does not matter. Where there are
// too many heavy ones, the lightest of them count as medium, and joined says
// how many.
func PlanWheels(wheels []lock.Distribution, limit int) (groups []WheelGroup, joined int) {
	var heavy, medium, small []lock.Distribution
	for _, d := range slices.SortedFunc(slices.Values(wheels), bySize) {
		switch {
		case d.Size < MediumWheel:
			small = append(small, d)
		case d.Size < HeavyWheel:
			medium = append(medium, d)
		case len(heavy) < max(limit-2, 0):
			heavy = append(heavy, d)
		default:
			medium = append(medium, d)
			joined++
		}
	}
	for _, d := range byName(heavy) {
		groups = append(groups, WheelGroup{Name: title(d), Wheels: []lock.Distribution{d}})
	}
	for _, g := range []WheelGroup{{"medium wheels", byName(medium)}, {"small wheels", byName(small)}} {
		if len(g.Wheels) > 0 {
			groups = append(groups, g)
		}
	}
	return groups, joined
}

// bySize puts the largest first.
func bySize(a, b lock.Distribution) int {
	return cmp.Or(-cmp.Compare(a.Size, b.Size), cmp.Compare(a.Name, b.Name))
}

func byName(list []lock.Distribution) []lock.Distribution {
	return slices.SortedFunc(slices.Values(list), func(a, b lock.Distribution) int { return cmp.Compare(a.Name, b.Name) })
}

func title(d lock.Distribution) string { return fmt.Sprintf("%s %s", d.Name, d.Version) }

// what says what is in a group.
func (g WheelGroup) what() string {
	if len(g.Wheels) == 1 {
		return title(g.Wheels[0])
	}
	return fmt.Sprintf("%d %s", len(g.Wheels), g.Name)
}

func (g WheelGroup) bytes() (size Bytes) {
	for _, d := range g.Wheels {
		size.Fetched += d.Size
		size.Unpacked += d.Unpacked
	}
	return size
}
