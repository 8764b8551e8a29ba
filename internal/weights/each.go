package weights

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"lamina.build/internal/failure"
	"lamina.build/internal/registry"
)

// each moves the layers side by side, the largest first, so that none of them is
// left alone at the end. A layer with a fault of its own keeps no other one from
// being moved; after any other fault, such as of the network, no more are begun.
// All faults come back at once.
func (j Job) each(ctx context.Context, verb string, do func(ctx context.Context, i int) error) error {
	faults := make([]error, len(j.Layers))
	var group errgroup.Group
	group.SetLimit(j.Jobs)
	var stop atomic.Bool
	for _, i := range j.bySize() {
		group.Go(func() error {
			if stop.Load() || ctx.Err() != nil {
				return nil
			}
			if err := do(ctx, i); err != nil {
				faults[i] = fmt.Errorf("%s layer %q: %w", verb, j.Layers[i].Name, err)
				stop.CompareAndSwap(false, !isItsOwn(err))
			}
			return nil
		})
	}
	_ = group.Wait() // the faults are in the list
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return joinFaults(faults)
}

func (j Job) bySize() []int {
	order := make([]int, len(j.Layers))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(j.Layers[b].Size, j.Layers[a].Size) })
	return order
}

// isItsOwn tells the faults that say nothing about other layers.
func isItsOwn(err error) bool {
	_, large := errors.AsType[*registry.TooLargeError](err)
	return large || isMismatch(err)
}

// joinFaults joins faults. Trying again doesn't help unless it helps all.
func joinFaults(faults []error) error {
	for _, err := range faults {
		if kind := failure.KindOf(err); err != nil && kind != failure.Transient {
			return failure.New(kind, errors.Join(faults...))
		}
	}
	return errors.Join(faults...)
}

// announce tells that all layers wait.
func (j Job) announce() {
	for i := range j.Layers {
		j.report(i, Waiting, 0, 0)
	}
}

func (j Job) report(i int, state State, from, bytes int64) {
	j.Progress(Event{Layer: i, Name: j.Layers[i].Name, State: state, From: from, Bytes: bytes, Total: j.Layers[i].Size})
}
