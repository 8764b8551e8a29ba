package stages

import (
	"lamina.build/llb"
	"lamina.build/lock"
)

// Base is the Debian root file system that builder and runtime both start from:
// the essential packages, with those of one set beside them. It comes from
// signed packages alone, no registry serves any of it.
func Base(in Input, kind lock.Kind) llb.Rootfs {
	return llb.Rootfs{
		Name:     string(kind),
		Tools:    llb.Packed(in.Tools),
		Mirrors:  in.Mirrors,
		Base:     in.Lock.In(lock.SetBase, in.Variant),
		Packages: in.Lock.In(kind, in.Variant),
	}
}
