package lock

import "slices"

// Each returns the locks of single platforms in l, in order. They share everything that
// doesn't depend on the platform, including models, and have no Further.
func (l Lock) Each() []Lock {
	list := make([]Lock, 1, 1+len(l.Further))
	list[0] = l
	list[0].Further = nil
	for _, p := range l.Further {
		list = append(list, l.with(p))
	}
	return list
}

// For returns the lock of one of l's platforms.
func (l Lock) For(platform string) (one Lock, ok bool) {
	list := l.Each()
	i := slices.IndexFunc(list, func(one Lock) bool { return one.Platform == platform })
	if i < 0 {
		return Lock{}, false
	}
	return list[i], true
}

// Join makes one lock from locks of single platforms, which fulfil the same requirements.
// The models are those of the first.
func Join(list []Lock) Lock {
	l := list[0]
	l.Further = nil
	for _, one := range list[1:] {
		l.Further = append(l.Further, Part{one.Platform, one.Releases, one.Indexes, one.Packages, one.Provided, one.UV, one.Omitted, one.Pages, one.Distributions})
	}
	return l
}

// Platforms returns the platforms of l, in order.
func (l Lock) Platforms() []string {
	return each(l.Each(), func(one Lock) string { return one.Platform })
}

// with returns l for the platform of p.
func (l Lock) with(p Part) Lock {
	l.Further, l.Platform = nil, p.Platform
	l.Releases, l.Indexes, l.Packages, l.Provided = p.Releases, p.Indexes, p.Packages, p.Provided
	l.UV, l.Omitted, l.Pages, l.Distributions = p.UV, p.Omitted, p.Pages, p.Distributions
	return l
}
