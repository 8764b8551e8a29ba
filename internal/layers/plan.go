package layers

import (
	"cmp"
	"slices"
	"sort"
)

// How weights are divided into layers. A large file is a layer of its own, so that it is
// pulled in parallel with the others and shared by every image that has it; small ones
// are bundled, since each layer has a cost.
const (
	LargeFile  = 64 << 20
	BundleSize = 256 << 20
)

// Size is a file of a model by its path in the image and its size.
type Size struct {
	Path  string
	Bytes int64
}

// Bundle is the content of one layer: files in the order of their paths.
type Bundle struct {
	Files []Size
	Bytes int64
}

// Plan divides files into at most limit layers (no limit if not positive). Every file is
// in exactly one bundle, and the result doesn't depend on the order of files. Bundles are
// in the order of their first paths. If the usual rules give too many, neighbours are
// joined up to the smallest sufficient size, and joined is true.
func Plan(files []Size, limit int) (bundles []Bundle, joined bool) {
	sorted := slices.SortedFunc(slices.Values(files), byPath)
	var large, small []Bundle
	for _, f := range sorted {
		b := Bundle{Files: []Size{f}, Bytes: f.Bytes}
		if f.Bytes >= LargeFile {
			large = append(large, b)
		} else {
			small = append(small, b)
		}
	}
	bundles = slices.Concat(large, join(small, BundleSize))
	slices.SortFunc(bundles, func(a, b Bundle) int { return cmp.Compare(a.Files[0].Path, b.Files[0].Path) })
	if limit <= 0 || len(bundles) <= limit {
		return bundles, false
	}
	return join(bundles, smallestCap(bundles, limit)), true
}

// join joins neighbours as long as they stay within size. Larger bundles stay
// alone.
func join(bundles []Bundle, size int64) []Bundle {
	var joined []Bundle
	for _, b := range bundles {
		if last := len(joined) - 1; last >= 0 && joined[last].Bytes+b.Bytes <= size {
			joined[last].Files = append(joined[last].Files, b.Files...)
			joined[last].Bytes += b.Bytes
			continue
		}
		joined = append(joined, b)
	}
	for i := range joined {
		slices.SortFunc(joined[i].Files, byPath)
	}
	return joined
}

func byPath(a, b Size) int { return cmp.Compare(a.Path, b.Path) }

// smallestCap finds, to a megabyte, the smallest size of joined bundles for which limit
// bundles suffice.
func smallestCap(bundles []Bundle, limit int) int64 {
	var total int64
	for _, b := range bundles {
		total += b.Bytes
	}
	const step = 1 << 20
	steps := sort.Search(int(total/step)+1, func(i int) bool { return count(bundles, int64(i)*step) <= limit })
	return min(int64(steps)*step, max(total, 0))
}

// count returns len(join(bundles, size)) without joining.
func count(bundles []Bundle, size int64) (n int) {
	var filled int64
	for i, b := range bundles {
		if i > 0 && filled+b.Bytes <= size {
			filled += b.Bytes
			continue
		}
		filled = b.Bytes
		n++
	}
	return n
}
