package stages

import (
	"fmt"

	"lamina.build/llb"
	"lamina.build/lock"
)

// base is the Debian root file system that builder and runtime both start from:
// the essential packages, with those of one set beside them. It comes from
// signed packages alone, no registry serves any of it.
func (in Input) base(kind lock.Kind) llb.Debian {
	return llb.Debian{
		Name:     string(kind),
		Tools:    llb.Packed(in.Tools),
		Mirrors:  in.Mirrors,
		Base:     in.Lock.In(lock.SetBase, in.Variant),
		Packages: in.Lock.In(kind, in.Variant),
	}
}

func (in Input) builder() llb.State {
	base := in.base(lock.SetBuilder)
	base.Exclude = llb.Exclude{
		"/usr/share/doc/**", "/usr/share/man/**", "/usr/share/info/**", "/usr/share/locale/**",
	}
	return base.State()
}

// system is base, what runs on it, and the app's user.
func (in Input) system() llb.Debian {
	base := in.base(lock.SetRuntime)
	base.Exclude, base.Keep = in.Exclude, in.Keep
	if in.App != nil {
		base.User, base.FirstStart = in.App.User, in.App.FirstStart
	}
	return base
}

// runtime is the operating system of the image. What a variant adds lies in a layer
// of its own above it, so that all variants share this one.
func (d drawing) runtime() []Part {
	var parts []Part
	for _, one := range d.debians() {
		var state, lists llb.State
		if one.below == nil {
			state, lists = one.State(), one.Lists()
		} else {
			state, lists = one.On(*one.below), one.ListsOn(*one.below)
		}
		parts = append(parts, part(one.Name, state, debianLayer(one.Packages)).
			checked(llb.LayerCheck{Name: one.Name, Places: []string{"/"}, Lists: &lists}))
	}
	return parts
}

// debian is a layer of Debian packages, and the root file system that it is made on, or nil.
type debian struct {
	llb.Debian

	below *llb.State
}

func (d drawing) debians() []debian {
	list := []debian{{d.system(), nil}}
	if extra := d.Lock.In(lock.SetExtra, d.Variant); len(extra) > 0 {
		runtime := list[0].State()
		list = append(list, debian{
			llb.Debian{Name: d.Variant, Tools: list[0].Tools, Mirrors: d.Mirrors, Packages: extra, Exclude: d.Exclude, Keep: d.Keep},
			&runtime,
		})
	}
	return list
}

func debianLayer(packages []lock.Package) Layer {
	l := Layer{What: fmt.Sprintf("%d Debian packages", len(packages))}
	if len(packages) == 1 {
		l.What = "1 Debian package"
	}
	for _, p := range packages {
		l.Fetched += p.Size
	}
	return l
}
