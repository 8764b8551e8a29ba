package weights

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync/atomic"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"lamina.build/internal/failure"
	"lamina.build/internal/registry"
	"lamina.build/lock"
)

// Source is where the files of a model are. Many goroutines use it at once.
type Source interface {
	// Open reads length bytes of a file from an offset, both within the file. The
	// source sees to cut connections and busy servers itself: an error ends the
	// attempt. The bytes needn't be the right ones, that is checked.
	Open(ctx context.Context, f lock.ModelFile, offset, length int64) (io.ReadCloser, error)
}

// Job says which model is moved, and how. The zero value of each field after
// Source stands for a sensible default.
type Job struct {
	Model  lock.Model
	Layers []Layer // of the model, as of [Layers]
	Source Source

	Jobs     int      // how many layers are moved at once; 4
	Fetches  int      // how many pieces are fetched at once, over all layers; 16
	Chunk    int      // bytes that are fetched, hashed and sent at once; 8 MiB
	Buffers  int      // of that many bytes, over all layers; 12, at least 2
	Progress Progress // is told how far each layer is; nobody
}

// NewJob is about a model whose layers are divided as those of all published ones, and as
// the lock has them if it does.
func NewJob(m lock.Model) (Job, error) {
	layers, err := Layers(m.Name(), m, MaxLayers)
	j := Job{Model: m, Layers: layers}
	if err == nil {
		err = j.checkLock()
	}
	return j, err
}

// complete fills in the defaults.
func (j Job) complete() Job {
	if j.Progress == nil {
		j.Progress = func(Event) {}
	}
	j.Jobs = cmp.Or(max(j.Jobs, 0), 4)
	j.Fetches = cmp.Or(max(j.Fetches, 0), 16)
	j.Chunk = cmp.Or(max(j.Chunk, 0), 8<<20)
	j.Buffers = max(cmp.Or(j.Buffers, 12), 2)
	return j
}

// Image is what the layers of a model became.
type Image struct {
	Manifest  ocispec.Descriptor
	Layers    []ocispec.Descriptor // in the order of [Job.Layers]; a digest is the diff id, too
	Unchanged bool                 // all of it was there already, and nothing was done
}

// Label is the label of an image, and the annotation of its manifest, that has
// the digest of the model's files: [lock.Model.Digest].
const Label = "build.lamina.weights"

// State is what becomes of a layer.
type State int

// The states of a layer. Only the first two pass.
const (
	Waiting State = iota // its turn hasn't come
	Moving               // its bytes flow
	Present              // it was there already
	Mounted              // the registry took it from another of its repositories
	Done                 // all its bytes were moved and are the right ones
	Failed               // it ended with an error, which comes back at the end
)

// Event is how far a layer is.
type Event struct {
	Layer int    // in [Job.Layers]
	Name  string // of the layer
	State State
	From  int64 // bytes that an earlier run has moved
	Bytes int64 // that are where they shall be, those of earlier runs too
	Total int64
}

// Progress is told how far a layer is: all layers at first as [Waiting], each
// one after every chunk, and as it ends. Several goroutines call it, but never
// two for one layer. It should return soon.
type Progress func(Event)

// each moves the layers side by side, the largest first, so that none of them is
// left alone at the end. A layer with a problem of its own keeps no other one from
// being moved; after any other problem, such as of the network, no more are begun.
// All problems come back at once.
func (j Job) each(ctx context.Context, verb string, known journal, do func(ctx context.Context, i int, key digest.Digest) error) error {
	problems := make([]error, len(j.Layers))
	var group errgroup.Group
	group.SetLimit(j.Jobs)
	var stop atomic.Bool
	for _, i := range j.bySize() {
		group.Go(func() error {
			if stop.Load() || ctx.Err() != nil {
				return nil
			}
			key := j.Layers[i].key()
			unlock, err := known.lock(ctx, key)
			if err == nil {
				err = errors.Join(do(ctx, i, key), unlock())
			}
			if err != nil {
				problems[i] = fmt.Errorf("%s layer %q: %w", verb, j.Layers[i].Name, err)
				stop.CompareAndSwap(false, !isItsOwn(err))
			}
			return nil
		})
	}
	_ = group.Wait() // the problems are in the list
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return joinProblems(problems)
}

func (j Job) bySize() []int {
	order := make([]int, len(j.Layers))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(j.Layers[b].Size, j.Layers[a].Size) })
	return order
}

// isItsOwn tells the problems that say nothing about other layers.
func isItsOwn(err error) bool {
	_, large := errors.AsType[*registry.TooLargeError](err)
	return large || isMismatch(err)
}

// joinProblems joins problems. Trying again doesn't help unless it helps all.
func joinProblems(problems []error) error {
	for _, err := range problems {
		if kind := failure.KindOf(err); err != nil && kind != failure.Transient {
			return failure.New(kind, errors.Join(problems...))
		}
	}
	return errors.Join(problems...)
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
