package weights

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/internal/failure"
	"lamina.build/internal/layout"
)

// PullOptions configure the destination on disk.
type PullOptions struct {
	Job

	Dir string // an OCI layout, created if missing
	Tag string // of the image in the layout; required
}

// workName is the directory in a layout for incomplete files. It is hidden, like the
// layout's locks, and on the same file system as the blobs.
const workName = ".weights"

// Pull streams the layers of a model into an OCI layout, and names them there by
// the manifest that [Push] makes of the same layers. Existing layers are left alone.
//
// If the disk is too small, a [*SpaceError] is returned before a byte moves, and later
// if others fill it. A [*MismatchError] concerns one layer, and the others are kept.
// After any error the next Pull continues.
func Pull(ctx context.Context, o PullOptions) (image Image, err error) {
	o.Job = o.complete()
	l, err := layout.Open(ctx, o.Dir)
	if err != nil {
		return Image{}, err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	if err := l.CheckDir(workName); err != nil {
		return Image{}, err
	}
	p := &puller{
		PullOptions: o, fetcher: newFetcher(o.Job), layout: l,
		known: make([]digest.Digest, len(o.Layers)), layers: make([]digest.Digest, len(o.Layers)),
	}
	p.journal = journal{dir: filepath.Join(o.Dir, workName)}
	if err := errors.Join(p.journal.open(), os.MkdirAll(p.blobs(), 0o755)); err != nil { //nolint:gosec // images are meant to be read by others
		return Image{}, fmt.Errorf("preparing layout %q: %w", o.Dir, err)
	}
	o.announce()
	p.learn(ctx)
	if err := p.fits(ctx); err != nil {
		return Image{}, err
	}
	if err := o.each(ctx, "pulling", p.journal, p.pull); err != nil {
		return Image{}, err
	}
	return p.finish(ctx)
}

// puller is one Pull.
type puller struct {
	PullOptions

	fetcher *fetcher
	journal journal
	layout  *layout.Layout
	known   []digest.Digest // of layers that existed once
	layers  []digest.Digest // that exist
	tagged  digest.Digest   // what the tag names
	moved   atomic.Bool     // any layer was missing
}

func (p *puller) blobs() string {
	return filepath.Join(p.Dir, ocispec.ImageBlobsDir, string(digest.SHA256))
}

func (p *puller) partial(key digest.Digest) string { return p.journal.path(key.Encoded() + ".partial") }

// pull moves one layer into the layout.
func (p *puller) pull(ctx context.Context, i int, key digest.Digest) (err error) {
	if p.layers[i], err = p.present(ctx, i); err != nil {
		return err
	}
	if p.layers[i] != "" {
		p.report(i, Present, 0, p.Layers[i].Size)
		return nil
	}
	p.moved.Store(true)
	from, err := p.fetch(ctx, i, key)
	if from > 0 && isMismatch(err) {
		// The partial file of an earlier pull may be wrong: a crash loses bytes.
		from, err = p.fetch(ctx, i, key)
	}
	if err == nil {
		err = p.keep(i, key)
	}
	if err != nil {
		p.report(i, Failed, from, from)
		return err
	}
	p.report(i, Done, from, p.Layers[i].Size)
	return nil
}

// fetch completes the partial file of a layer, and returns what it already had.
func (p *puller) fetch(ctx context.Context, i int, key digest.Digest) (from int64, err error) {
	f, err := openPartial(p.partial(key))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	return p.stream(ctx, i, f)
}

// stream hashes the content of the partial file and fetches the rest.
func (p *puller) stream(ctx context.Context, i int, f *partial) (from int64, err error) {
	run := flow{fetcher: p.fetcher, hash: newHasher(&p.Layers[i], "")}
	if err = f.rehash(ctx, run); err != nil {
		return 0, err
	}
	from = f.offset
	p.report(i, Moving, from, from)
	run.sent = func(mark) error {
		p.report(i, Moving, from, f.offset)
		return nil
	}
	err = run.run(ctx, f)
	if isMismatch(err) {
		err = errors.Join(err, f.truncate())
	}
	if isFull(err) {
		err = errors.Join(p.noSpace(p.Layers[i].Size-f.offset), err)
	}
	p.layers[i] = run.hash.digest()
	return from, err
}

// learn reads the digests of layers from the image that the tag names. An image that
// can't be read is ignored: this pull makes it again.
func (p *puller) learn(ctx context.Context) {
	have, err := p.layout.Read(ctx, p.Tag)
	if err != nil {
		return
	}
	p.tagged = have.Desc.Digest
	if layers, ok := p.recognise(have.Manifest); ok {
		p.known = layers
	}
}

// present returns the digest of a layer that is in the layout, or "".
func (p *puller) present(ctx context.Context, i int) (digest.Digest, error) {
	d := cmp.Or(p.known[i], p.journal.digest(p.Layers[i].key()))
	if d == "" {
		return "", nil
	}
	info, err := p.layout.Store().Info(ctx, d)
	if errdefs.IsNotFound(err) || err == nil && info.Size != p.Layers[i].Size {
		return "", nil
	}
	// The layout may have been made to look like one of ours.
	if err == nil {
		err = p.Layers[i].checkHeaders(ctx, d, pulled{p.layout.Store()})
	}
	if failure.KindOf(err) == failure.Findings {
		return "", nil
	}
	return d, err
}

// keep turns the partial file into a blob.
func (p *puller) keep(i int, key digest.Digest) error {
	blob := filepath.Join(p.blobs(), p.layers[i].Encoded())
	if err := p.journal.learn(key, p.layers[i]); err != nil {
		return err
	}
	if err := os.Rename(p.partial(key), blob); err != nil {
		return err
	}
	info, err := os.Stat(blob)
	if err == nil { // like other blobs; the umask stays
		err = os.Chmod(blob, info.Mode()&^0o222)
	}
	return errors.Join(err, syncDir(p.blobs()))
}

// finish names the layers, which all exist.
func (p *puller) finish(ctx context.Context) (Image, error) {
	b, err := p.image(p.layers)
	if err != nil {
		return Image{}, err
	}
	b.Unchanged = p.tagged == b.Manifest.Digest && !p.moved.Load()
	if err := b.store(ctx, p.layout); err != nil {
		return Image{}, err
	}
	return b.Image, errors.Join(p.layout.Tag(ctx, p.Tag, b.Manifest), p.dropStale(time.Now()))
}

// stale is how long a partial file is kept for another pull.
const stale = 30 * 24 * time.Hour

// dropStale removes partial files that no pull continues any more.
func (p *puller) dropStale(now time.Time) error {
	partials, err := filepath.Glob(p.journal.path("*.partial"))
	for _, path := range partials {
		if info, statErr := os.Stat(path); statErr == nil && now.Sub(info.ModTime()) > stale {
			err = errors.Join(err, os.Remove(path))
		}
	}
	return err
}
