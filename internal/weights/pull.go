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

// PullOptions say what goes where on disk.
type PullOptions struct {
	Job

	Dir string // of an OCI layout, made where there is none
	Tag string // of the image in the layout; needed
}

// workName is the directory in a layout for what isn't whole yet. It is hidden, as
// the layout's locks are, and on the file system of the blobs.
const workName = ".weights"

// Pull streams the layers of a model into an OCI layout, and names them there by
// the manifest that [Push] makes of the same. Layers that are there are left.
//
// Errors: a [*SpaceError] comes before a byte moves if the disk is too small, and
// in the middle if somebody else fills it. A [*MismatchError] is of one layer, and
// the others stay. After any error a next Pull goes on.
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
	known   []digest.Digest // of layers that were there once
	layers  []digest.Digest // that are there
	tagged  digest.Digest   // what the tag names
	moved   atomic.Bool     // any layer wasn't there
}

func (p *puller) blobs() string {
	return filepath.Join(p.Dir, ocispec.ImageBlobsDir, string(digest.SHA256))
}

func (p *puller) partial(key digest.Digest) string { return p.journal.path(key.Encoded() + ".partial") }

// pull brings one layer into the layout.
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
		// What an earlier pull left may be what is wrong: a crash loses bytes.
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

// fetch completes the partial file of a layer, and tells what it had.
func (p *puller) fetch(ctx context.Context, i int, key digest.Digest) (from int64, err error) {
	f, err := openPartial(p.partial(key))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	return p.stream(ctx, i, f)
}

// stream hashes what is in the partial file and fetches the rest.
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

// learn finds out the digests of layers from the image that the tag names. One
// that can't be read has nothing to say: this pull makes it anew.
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
	// Somebody may have made the layout to look like one of ours.
	if err == nil {
		err = p.Layers[i].checkHeaders(ctx, d, pulled{p.layout.Store()})
	}
	if failure.KindOf(err) == failure.Findings {
		return "", nil
	}
	return d, err
}

// keep makes a blob of the partial file.
func (p *puller) keep(i int, key digest.Digest) error {
	blob := filepath.Join(p.blobs(), p.layers[i].Encoded())
	if err := p.journal.learn(key, p.layers[i]); err != nil {
		return err
	}
	if err := os.Rename(p.partial(key), blob); err != nil {
		return err
	}
	err := os.Chmod(blob, 0o444) //nolint:gosec // the mode that blobs have
	return errors.Join(err, syncDir(p.blobs()))
}

// finish names the layers, which are all there.
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

// stale is how long a partial file waits for somebody to go on with it.
const stale = 30 * 24 * time.Hour

// dropStale removes partial files of models that nobody pulls any more.
func (p *puller) dropStale(now time.Time) error {
	partials, err := filepath.Glob(p.journal.path("*.partial"))
	for _, path := range partials {
		if info, statErr := os.Stat(path); statErr == nil && now.Sub(info.ModTime()) > stale {
			err = errors.Join(err, os.Remove(path))
		}
	}
	return err
}
