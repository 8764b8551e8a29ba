package readback

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/errdefs"
	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/util/contentutil"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/internal/failure"
	"lamina.build/internal/registry"
)

// sender is a content store that uploads each blob to a repository as an engine writes it.
// Unlike an engine, it resumes an interrupted upload. Small blobs stay in memory, as in a
// [heldStore].
type sender struct {
	contentutil.Buffer

	to     *registry.Repository
	report func(*client.SolveStatus)

	mu      sync.Mutex
	problem error // the first of an upload, since an engine passes on only its text
}

func newSender(to *registry.Repository) *sender {
	return &sender{Buffer: contentutil.NewBuffer(), to: to}
}

// Writer returns the upload of a blob. Callers first ask Info whether the blob exists.
func (s *sender) Writer(ctx context.Context, opts ...content.WriterOpt) (content.Writer, error) {
	o, err := optionsOf(opts)
	if err != nil {
		return nil, err
	}
	if o.Desc.Size <= heldSize {
		return s.Buffer.Writer(ctx, opts...)
	}
	return &sending{sender: s, ctx: ctx, desc: o.Desc, ref: o.Ref}, nil
}

// Info returns an error that matches [errdefs.ErrNotFound] unless the repository has the blob.
func (s *sender) Info(ctx context.Context, d digest.Digest) (content.Info, error) {
	if info, err := s.Buffer.Info(ctx, d); err == nil {
		return info, nil
	}
	ok, err := s.to.Has(ctx, d)
	if err == nil && !ok {
		return content.Info{}, fmt.Errorf("blob %s: %w", d, errdefs.ErrNotFound)
	}
	return content.Info{Digest: d}, s.failed(ctx, err)
}

// failed records the first error that is not due to a cancellation.
func (s *sender) failed(ctx context.Context, err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil && ctx.Err() == nil && s.problem == nil {
		s.problem = err
	}
	return err
}

// err returns the first error of an upload.
func (s *sender) err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.problem
}

// sending is the upload of one blob. It starts with the first byte.
type sending struct {
	*sender

	ctx     context.Context // of the caller of Writer, which is canceled when that is done
	desc    ocispec.Descriptor
	ref     string
	offset  int64 // bytes that were written
	started time.Time
	told    time.Time

	pipe *io.PipeWriter
	done chan error // receives the result of the upload; nil before and after
}

func (u *sending) start() {
	r, w := io.Pipe()
	u.pipe, u.done, u.started = w, make(chan error, 1), time.Now()
	go func(done chan<- error) {
		body := &rewinder{r: r}
		err := u.to.Put(u.ctx, u.desc.Digest, u.desc.Size, body.open)
		if err != nil && body.lost {
			err = failure.New(failure.Transient, err) // the engine can write the blob again
		}
		_ = r.CloseWithError(err)
		done <- err
	}(u.done)
	u.tell(nil)
}

// Write sends the next bytes of the blob.
func (u *sending) Write(p []byte) (int, error) {
	if u.done == nil {
		u.start()
	}
	n, err := u.pipe.Write(p)
	u.offset += int64(n)
	if err != nil {
		return n, u.end(err)
	}
	if time.Since(u.told) > toldEvery {
		u.tell(nil)
	}
	return n, nil
}

// Commit waits until the registry has the blob.
func (u *sending) Commit(context.Context, int64, digest.Digest, ...content.Opt) error {
	err := u.end(nil)
	if err == nil && u.offset != u.desc.Size {
		err = fmt.Errorf("blob %s ends after %d of %d bytes", u.desc.Digest, u.offset, u.desc.Size)
	}
	if err != nil {
		return err
	}
	now := time.Now()
	u.tell(&now)
	return nil
}

// end ends the upload and returns its result.
func (u *sending) end(reason error) error {
	if u.done == nil {
		return reason
	}
	_ = u.pipe.CloseWithError(reason)
	err := <-u.done
	u.done = nil
	if !errors.Is(err, errUnfinished) {
		_ = u.failed(u.ctx, err)
	}
	return err
}

// Close cancels an upload that was not committed.
func (u *sending) Close() error {
	_ = u.end(errUnfinished)
	return nil
}

// Truncate restarts the upload. It supports no size but 0.
func (u *sending) Truncate(size int64) error {
	if size != 0 {
		return fmt.Errorf("truncating an upload to %d bytes: %w", size, errdefs.ErrNotImplemented)
	}
	u.offset = 0
	return u.Close()
}

// Digest returns the expected digest, which the registry verifies.
func (u *sending) Digest() digest.Digest { return u.desc.Digest }

// Status returns the progress of the upload.
func (u *sending) Status() (content.Status, error) {
	return content.Status{Ref: u.ref, Offset: u.offset, Total: u.desc.Size, Expected: u.desc.Digest, StartedAt: u.started}, nil
}

// toldEvery is how often an upload reports its progress.
const toldEvery = 200 * time.Millisecond

// tell reports the upload as a step of the build.
func (u *sending) tell(completed *time.Time) {
	u.told = time.Now()
	started := u.started
	name := fmt.Sprintf("pushing layer %.12s to %s", u.desc.Digest.Encoded(), u.to.Name())
	step := digest.FromString(name)
	u.report(&client.SolveStatus{
		Vertexes: []*client.Vertex{{Digest: step, Name: name, Started: &started, Completed: completed}},
		Statuses: []*client.VertexStatus{{
			ID: "sent", Vertex: step, Current: u.offset, Total: u.desc.Size, Timestamp: u.told, Started: &started, Completed: completed,
		}},
	})
}

// rewinder reads a stream and can go back a little.
type rewinder struct {
	mu   sync.Mutex
	r    io.Reader
	at   int64  // bytes that were read
	kept []byte // the last of them
	lost bool   // open was asked for bytes that are no longer kept
}

// open opens the stream at an offset, for [registry.Repository.Put], which reads one body at
// a time.
func (w *rewinder) open(from int64) (io.ReadCloser, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	back := w.at - from
	if back < 0 || back > int64(len(w.kept)) {
		w.lost = true
		return nil, fmt.Errorf("the registry needs byte %d, and the stream is at byte %d", from, w.at)
	}
	return io.NopCloser(io.MultiReader(bytes.NewReader(bytes.Clone(w.kept[int64(len(w.kept))-back:])), w)), nil
}

// Read reads the next bytes of the stream.
func (w *rewinder) Read(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n, err := w.r.Read(p)
	w.at += int64(n)
	if w.kept = append(w.kept, p[:n]...); len(w.kept) > 2*registry.ChunkSize {
		w.kept = append(w.kept[:0], w.kept[len(w.kept)-registry.ChunkSize:]...)
	}
	return n, err
}
