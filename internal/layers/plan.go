package layers

import (
	"cmp"
	"slices"
	"sort"
)

// What a layer of weights is made of. A large file is a layer of its own, so
// that it is pulled alongside the others and shared by every image that has it;
// small ones go together, since a layer has its price too.
const (
	LargeFile  = 64 << 20
	BundleSize = 256 << 20
)

// Size is a file of a model by its path in the image and its size.
type Size struct {
	Path  string
	Bytes int64
}

// Bundle is what one layer holds: files in the order of their paths.
type Bundle struct {
	Files []Size
	Bytes int64
}

// Plan divides files over layers, at most limit of them (no limit where it is
// not positive). Every file is in exactly one bundle, and the result does not
// depend on the order of files. Bundles come in the order of their first
// paths. Where the usual rules give too many, neighbours are joined up to the
// smallest size that suffices, and joined is true.
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

// join puts neighbours together as long as they stay within size. What is
// larger alone stays alone.
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

// smallestCap finds, to a megabyte, how large a joined bundle has to be
// allowed to become for limit bundles to suffice.
func smallestCap(bundles []Bundle, limit int) int64 {
	var total int64
	for _, b := range bundles {
		total += b.Bytes
	}
	const step = 1 << 20
	steps := sort.Search(int(total/step)+1, func(i int) bool { return count(bundles, int64(i)*step) <= limit })
	return min(int64(steps)*step, max(total, 0))
}

// count is len(join(bundles, size)) without the joining.
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
