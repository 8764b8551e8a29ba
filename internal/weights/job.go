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

// Source provides the files of a model. It must be safe for concurrent use.
type Source interface {
	// Open reads length bytes of a file from an offset, both within the file. The
	// source itself retries broken connections and busy servers: an error ends the
	// attempt. The caller verifies the bytes.
	Open(ctx context.Context, f lock.ModelFile, offset, length int64) (io.ReadCloser, error)
}

// Job is the model to move and how to move it. The zero value of each field after
// Source is a sensible default.
type Job struct {
	Model  lock.Model
	Layers []Layer // of the model, as of [Layers]
	Source Source

	Jobs     int      // layers to move at once; 4
	Fetches  int      // pieces to fetch at once, over all layers; 16
	Chunk    int      // bytes to fetch, hash and send at once; 8 MiB
	Buffers  int      // of that many bytes, over all layers; 12, at least 2
	Progress Progress // called with the state of each layer; may be nil
}

// NewJob returns a job for a model whose layers are divided like those of all published
// ones, and match the lock if that has them.
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

// Image is the image of a model's layers.
type Image struct {
	Manifest  ocispec.Descriptor
	Layers    []ocispec.Descriptor // in the order of [Job.Layers]; a digest is the diff ID, too
	Unchanged bool                 // everything existed already, and nothing was done
}

// Label is the label of an image, and the annotation of its manifest, that holds
// the digest of the model's files: [lock.Model.Digest].
const Label = "build.lamina.weights"

// State is the state of a layer.
type State int

// The states of a layer. All but the first two are final.
const (
	Waiting State = iota // not started yet
	Moving               // being moved
	Present              // was at the destination already
	Mounted              // the registry mounted it from another of its repositories
	Done                 // moved completely and verified
	Failed               // failed with an error, which is returned at the end
)

// Event is the progress of a layer.
type Event struct {
	Layer int    // in [Job.Layers]
	Name  string // of the layer
	State State
	From  int64 // bytes moved by an earlier run
	Bytes int64 // bytes at the destination, including those of earlier runs
	Total int64
}

// Progress is called with the progress of layers: first all as [Waiting], then each
// one after every chunk, and when it ends. Calls are concurrent, but never for the
// same layer. It should return quickly.
type Progress func(Event)

// each moves the layers in parallel, the largest first, so that it isn't left alone
// at the end. A problem of one layer doesn't stop the others; after any other problem,
// such as of the network, no more layers are started. All problems are returned
// together.
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

// isItsOwn reports whether a problem says nothing about other layers.
func isItsOwn(err error) bool {
	_, large := errors.AsType[*registry.TooLargeError](err)
	return large || isMismatch(err)
}

// joinProblems joins problems. The result is transient only if all of them are.
func joinProblems(problems []error) error {
	for _, err := range problems {
		if kind := failure.KindOf(err); err != nil && kind != failure.Transient {
			return failure.New(kind, errors.Join(problems...))
		}
	}
	return errors.Join(problems...)
}

// announce reports all layers as waiting.
func (j Job) announce() {
	for i := range j.Layers {
		j.report(i, Waiting, 0, 0)
	}
}

func (j Job) report(i int, state State, from, bytes int64) {
	j.Progress(Event{Layer: i, Name: j.Layers[i].Name, State: state, From: from, Bytes: bytes, Total: j.Layers[i].Size})
}
