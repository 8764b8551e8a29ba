package resolve

import (
	"fmt"
	"slices"

	"lamina.build/internal/resolve/apt"
	"lamina.build/internal/resolve/models"
	"lamina.build/internal/resolve/uv"
	"lamina.build/lock"
)

// Drift lists where a lock does not answer the spec, one sentence each: it answers other
// requirements, or has entries that locking would never write, since a lock may come with
// a project from somebody else. A difference that all platforms share is listed once.
func (p Project) Drift(l lock.Lock) ([]string, error) {
	x, err := p.indexes()
	if err != nil {
		return nil, err
	}
	if len(l.Further) == 0 && len(p.Requirements.Platforms) == 1 {
		return p.driftOf(l, p.Requirements.Platforms[0], x), nil
	}
	var drift []string
	var found [][]string
	for _, platform := range p.Requirements.Platforms {
		one, ok := l.For(platform)
		if !ok {
			drift = append(drift, "platform: the spec adds "+platform)
			continue
		}
		found = append(found, p.driftOf(one, platform, x))
	}
	for _, platform := range l.Platforms() {
		if !slices.Contains(p.Requirements.Platforms, platform) {
			drift = append(drift, "platform: the spec no longer has "+platform)
		}
	}
	for i, list := range found {
		for _, sentence := range list {
			everywhere := !slices.ContainsFunc(found, func(other []string) bool { return !slices.Contains(other, sentence) })
			if !everywhere {
				sentence = fmt.Sprintf("%s: %s", p.Requirements.Platforms[i], sentence)
			}
			if !slices.Contains(drift, sentence) {
				drift = append(drift, sentence)
			}
		}
	}
	return drift, nil
}

// driftOf returns the drift of a lock of one platform.
func (p Project) driftOf(l lock.Lock, platform string, x indexes) []string {
	wanted := p.Requirements.Lock
	wanted.Platform = platform
	if drift := l.Drift(wanted); len(drift) > 0 {
		return drift // its entries answer other requirements
	}
	return slices.Concat(apt.Drift(wanted, l), uv.Drift(p.Requirements.Python, l, x.Indexes), models.Drift(l))
}
