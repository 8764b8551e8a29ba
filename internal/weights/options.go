package weights

import (
	"cmp"
	"context"
	"io"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

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

	Platform ocispec.Platform  // of the image; linux/amd64
	Labels   map[string]string // of the image, beside [Label]
	Jobs     int               // how many layers are moved at once; 4
	Fetches  int               // how many pieces are fetched at once, over all layers; 16
	Chunk    int               // bytes that are fetched, hashed and sent at once; 8 MiB
	Buffers  int               // of that many bytes, over all layers; 12, at least 2
	Progress Progress          // is told how far each layer is; nobody
}

// complete fills in the defaults.
func (j Job) complete() Job {
	if j.Platform.OS == "" {
		j.Platform = ocispec.Platform{OS: "linux", Architecture: "amd64"}
	}
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
