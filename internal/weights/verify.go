package weights

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/internal/failure"
	"lamina.build/internal/layout"
	"lamina.build/internal/registry"
)

// VerifyPublished reads all of the published model, and compares every file with the lock.
// A difference has the kind [failure.Findings], with a [*MismatchError] for each file.
func (j Job) VerifyPublished(ctx context.Context, r *registry.Repository) error {
	image, err := j.CheckPublished(ctx, r, "")
	if err != nil {
		return err
	}
	return j.verify(ctx, image.Layers, published{r})
}

// VerifyPulled reads all of the model in a layout, as [Job.VerifyPublished] does.
func (j Job) VerifyPulled(ctx context.Context, l *layout.Layout) error {
	if err := j.CheckPulled(ctx, l, ""); err != nil {
		return err
	}
	found, err := l.Read(ctx, j.LayoutTag())
	if err != nil {
		return err
	}
	return j.verify(ctx, found.Layers(), pulled{l.Store()})
}

func (j Job) verify(ctx context.Context, layers []ocispec.Descriptor, from blobs) error {
	j = j.complete()
	j.announce()
	return j.each(ctx, "verifying", journal{}, func(ctx context.Context, i int, _ digest.Digest) error {
		v := verifier{hash: newHasher(&j.Layers[i], ""), moved: func(at int64) { j.report(i, Moving, 0, at) }}
		err := v.run(ctx, layers[i].Digest, from)
		if isMismatch(err) {
			err = failure.New(failure.Findings, err)
		}
		if err != nil {
			j.report(i, Failed, 0, v.hash.pos)
			return err
		}
		j.report(i, Done, 0, j.Layers[i].Size)
		return nil
	})
}

// verifier reads one layer.
type verifier struct {
	hash  *hasher
	moved func(at int64)
}

func (v verifier) run(ctx context.Context, d digest.Digest, from blobs) error {
	h := v.hash
	for h.pos < h.of.Size {
		begin := h.pos
		if err := from.ReadRange(ctx, d, begin, h.of.Size, func(r io.Reader, whole bool) error {
			start := begin
			if whole {
				start = 0
			}
			return v.read(r, start)
		}); err != nil {
			return err
		}
	}
	if got := h.digest(); got != d {
		return failure.New(failure.Findings, fmt.Errorf("its digest is %s and not %s", got, d))
	}
	return nil
}

// read hashes r. If the connection breaks after new bytes, the caller continues from
// there; if it brought none, that counts as an attempt.
func (v verifier) read(r io.Reader, at int64) error {
	before := v.hash.pos
	for buffer := make([]byte, 1<<20); ; {
		n, err := io.ReadFull(r, buffer)
		if hashErr := v.hash.write(at, buffer[:n]); hashErr != nil {
			return hashErr
		}
		at += int64(n)
		v.moved(v.hash.pos)
		switch {
		case v.hash.pos == v.hash.of.Size, err != nil && v.hash.pos > before:
			return nil
		case errors.Is(err, io.EOF), err != nil && failure.KindOf(err) != failure.Transient:
			return short(err, at)
		case err != nil:
			return err
		}
	}
}
