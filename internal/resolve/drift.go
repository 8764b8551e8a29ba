package resolve

import (
	"slices"

	"lamina.build/internal/resolve/apt"
	"lamina.build/internal/resolve/models"
	"lamina.build/internal/resolve/uv"
	"lamina.build/lock"
)

// Drift says where a lock does not answer the spec, one sentence a difference: it answers
// other wishes, or what it has for them is nothing that locking writes. A lock may have
// come with its project, from whoever wrote that.
func (p Project) Drift(l lock.Lock) ([]string, error) {
	x, err := p.indexes()
	if err != nil {
		return nil, err
	}
	if drift := l.Drift(p.Wishes.Lock); len(drift) > 0 {
		return drift, nil // what it has answers something else
	}
	drift := slices.Concat(apt.Drift(p.Wishes.Lock, l), uv.Drift(p.Wishes.Python, l, x.Indexes, p.Root), models.Drift(l))
	return drift, nil
}
