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
	base.Here = true
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
		base.User = in.App.User
	}
	return base
}

// runtime is the operating system of the image. What a variant adds lies in a layer
// of its own above it, so that all variants share this one.
func (d drawing) runtime() []Part {
	base := d.system()
	runtime, lists := base.State(), base.Lists()
	everywhere := []string{"/"}
	parts := []Part{
		part("runtime", runtime, debianLayer(base.Packages)).
			checked(llb.LayerCheck{Name: base.Name, Places: everywhere, Lists: &lists}),
	}
	if extra := d.Lock.In(lock.SetExtra, d.Variant); len(extra) > 0 {
		added := llb.Debian{Name: d.Variant, Tools: base.Tools, Mirrors: d.Mirrors, Packages: extra, Exclude: d.Exclude, Keep: d.Keep}
		lists := added.ListsOn(runtime)
		parts = append(parts, part(d.Variant, added.On(runtime), debianLayer(extra)).
			checked(llb.LayerCheck{Name: added.Name, Places: everywhere, Lists: &lists}))
	}
	return parts
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
