package stages

import (
	"fmt"
	"slices"

	"lamina.build/llb"
	"lamina.build/lock"
)

// base is the Debian root file system that builder and runtime both start from: the essential
// packages together with those of one set. It comes only from signed packages, never from a
// registry.
func (in Input) base(kind lock.Kind) llb.Debian {
	return llb.Debian{
		Name:     string(kind),
		Tools:    llb.Packed(in.Tools),
		Mirrors:  in.Mirrors,
		Base:     in.Lock.In(lock.SetBase, in.Variant),
		Packages: in.Lock.In(kind, in.Variant),
		Debconf:  in.Debconf,
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

// system is base with the runtime's packages and the app's user.
func (in Input) system() llb.Debian {
	base := in.base(lock.SetRuntime)
	base.Exclude, base.Keep = in.Exclude, in.Keep
	if in.App != nil {
		base.User, base.FirstStart = in.App.User, in.App.FirstStart
	}
	return base
}

// extra returns the packages that the variant adds to the runtime, if any.
func (in Input) extra() (added llb.Debian, ok bool) {
	added = in.base(lock.SetExtra)
	added.Name, added.Base, added.Exclude, added.Keep = in.Variant, nil, in.Exclude, in.Keep
	return added, len(added.Packages) > 0
}

// Extra returns dpkg's lists of the packages that the variant adds to the runtime and of the
// runtime's own; ok is false if it adds none. If their [llb.GoneFile] has a line, the drawing
// needs [Input.Apart].
func Extra(in Input) (lists llb.State, ok bool) {
	added, ok := in.extra()
	if !ok || in.checkDebian(lock.SetBase, lock.SetRuntime) != nil {
		return lists, false // New reports it
	}
	return added.Installed(in.system().State()), true
}

// runtime is the operating system of the image. What a variant adds is in another layer above
// it, so that all variants share this one, unless it also removes something of this one.
func (d drawing) runtime() []Part {
	base := d.system()
	runtime, lists := base.State(), base.Lists()
	everywhere := []string{"/"}
	shared := part("runtime", runtime, debianLayer(base.Packages)).
		checked(llb.LayerCheck{Name: base.Name, Places: everywhere, Lists: &lists})
	added, ok := d.extra()
	if !ok {
		return []Part{shared}
	}
	all := added.ListsOn(runtime)
	check := llb.LayerCheck{Name: added.Name, Places: everywhere, Lists: &all}
	if d.Apart {
		packages := slices.Concat(base.Packages, added.Packages)
		return []Part{part("runtime", added.With(runtime), debianLayer(packages)).checked(check)}
	}
	return []Part{shared, part(d.Variant, added.On(runtime), debianLayer(added.Packages)).checked(check)}
}

// noted returns dpkg's lists of all packages of the image, which come with the topmost layer of
// packages.
func noted(parts []Part) (lists llb.State) {
	for _, p := range parts {
		if p.check != nil && p.check.Lists != nil {
			lists = *p.check.Lists
		}
	}
	return lists
}

// thirdParty returns the packages from other repositories than the distribution's. That is
// Debian's own archive or, if the spec has no suites of it, the one that the base comes from.
func (in Input) thirdParty() (names []string) {
	base := in.Lock.In(lock.SetBase, in.Variant)
	isOwn := func(repository string) bool {
		return len(in.Lock.Suites) == 0 && slices.ContainsFunc(base, func(p lock.Package) bool { return p.Repository == repository })
	}
	for _, r := range in.Lock.Repositories {
		for _, p := range in.Lock.Packages {
			if p.Repository == r.Name && !isOwn(r.Name) {
				names = append(names, p.Name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
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
