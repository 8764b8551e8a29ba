package layers

import (
	"context"
	"errors"
	"time"

	"github.com/containerd/containerd/v2/core/content"

	"lamina.build/internal/layout/blobs"
)

// OpenStore opens the store of packed layers in the cache directory dir. It is kept
// between builds, so that packing an unchanged tree writes nothing, and shared by
// concurrent builds.
//
// Opening drops what no build has used for the duration keep, unless another build has
// the store open (the next one will do it). Age is the rule because the store can't know
// which images of which directories still matter; and everything in it can be packed
// again from the trees.
func OpenStore(ctx context.Context, dir string, keep time.Duration) (*blobs.Store, error) {
	s, err := blobs.Open(ctx, dir)
	if err != nil {
		return nil, err
	}
	oldest := time.Now().Add(-keep)
	if _, err := s.Cleanup(ctx, func(b content.Info) bool { return b.CreatedAt.After(oldest) }); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}
