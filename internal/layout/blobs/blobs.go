package blobs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"time"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/pkg/filters"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/internal/beneath"
)

// checkBlobs refuses links among the blobs: a writer would take one for its target, and
// not write the blob.
func checkBlobs(root *os.Root) error {
	algorithms, err := algorithmsIn(root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, a := range algorithms {
		err = errors.Join(err, beneath.CheckFiles(root, path.Join(blobsName, a.String())))
	}
	return err
}

// algorithmsIn returns those whose directories hold blobs.
func algorithmsIn(root *os.Root) (list []digest.Algorithm, err error) {
	entries, err := beneath.ReadDir(root, blobsName)
	for _, e := range entries {
		if a := digest.Algorithm(e.Name()); a.Available() {
			list = append(list, a)
		}
	}
	return list, err
}

// withBlob calls do with the directory of a blob and its name there.
func (s *Store) withBlob(dgst digest.Digest, do func(directory *os.Root, name string) error) error {
	if err := dgst.Validate(); err != nil {
		return fmt.Errorf("blob %q: %w: %w", dgst, err, errdefs.ErrInvalidArgument)
	}
	directory, err := beneath.Dir(s.root, path.Join(blobsName, dgst.Algorithm().String()))
	if err == nil {
		err = errors.Join(do(directory, dgst.Encoded()), directory.Close())
	}
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("blob %s: %w", dgst, errdefs.ErrNotFound)
	}
	return err
}

// Info returns a blob's size and times, and marks it as used.
func (s *Store) Info(_ context.Context, dgst digest.Digest) (content.Info, error) {
	r, err := s.open(dgst)
	if err != nil {
		return content.Info{}, err
	}
	s.touch(dgst, r.stat)
	return infoOf(dgst, r.stat), r.Close()
}

func infoOf(dgst digest.Digest, stat fs.FileInfo) content.Info {
	return content.Info{Digest: dgst, Size: stat.Size(), CreatedAt: stat.ModTime(), UpdatedAt: stat.ModTime()}
}

// touch sets a blob's time to now, so that a cleanup by age spares it. Once an hour is
// enough, and keeps a warm build from writing.
func (s *Store) touch(dgst digest.Digest, stat fs.FileInfo) {
	now := time.Now()
	if s.lease != nil && now.Sub(stat.ModTime()) > time.Hour {
		// In another user's directory, that owner's cleanup decides.
		_ = s.withBlob(dgst, func(directory *os.Root, name string) error { return directory.Chtimes(name, now, now) })
	}
}

// ReaderAt opens a blob.
func (s *Store) ReaderAt(_ context.Context, desc ocispec.Descriptor) (content.ReaderAt, error) {
	r, err := s.open(desc.Digest)
	if err != nil {
		return nil, err
	}
	return r, nil
}

type reader struct {
	*os.File
	stat fs.FileInfo
}

// Size returns the size of the blob.
func (r reader) Size() int64 { return r.stat.Size() }

func (s *Store) open(dgst digest.Digest) (r reader, err error) {
	err = s.withBlob(dgst, func(directory *os.Root, name string) (err error) {
		r.File, err = beneath.File(directory, name, os.O_RDONLY, 0)
		return err
	})
	if err != nil {
		return reader{}, err
	}
	if r.stat, err = r.Stat(); err != nil {
		return reader{}, errors.Join(err, r.Close())
	}
	return r, nil
}

// Delete removes a blob.
func (s *Store) Delete(_ context.Context, dgst digest.Digest) error {
	return s.withBlob(dgst, func(directory *os.Root, name string) error { return directory.Remove(name) })
}

// Walk visits all blobs. It ignores files whose names aren't those of blobs.
func (s *Store) Walk(_ context.Context, visit content.WalkFunc, chosen ...string) error {
	filter, err := filters.ParseAll(chosen...)
	if err != nil {
		return err
	}
	algorithms, err := algorithmsIn(s.root)
	for _, a := range algorithms {
		list, listErr := s.list(a)
		err = errors.Join(err, listErr)
		for _, info := range list {
			if err == nil && filter.Match(content.AdaptInfo(info)) {
				err = visit(info)
			}
		}
	}
	return err
}

func (s *Store) list(a digest.Algorithm) ([]content.Info, error) {
	entries, err := beneath.ReadDir(s.root, path.Join(blobsName, a.String()))
	if err != nil {
		return nil, err
	}
	var list []content.Info
	for _, e := range entries {
		dgst := digest.NewDigestFromEncoded(a, e.Name())
		if dgst.Validate() != nil || !e.Type().IsRegular() {
			continue
		}
		stat, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed since
		}
		if err != nil {
			return nil, err
		}
		list = append(list, infoOf(dgst, stat))
	}
	return list, nil
}
