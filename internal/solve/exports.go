package solve

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/moby/buildkit/client"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/internal/atomicfile"
	"lamina.build/internal/beneath"
	"lamina.build/internal/failure"
	"lamina.build/internal/layout"
	"lamina.build/output"
)

// distDir is where layouts go that nobody gave another place.
const distDir = "dist"

// Exports are the outputs of an image while it is built. An archive is written
// beside its place and gets there when the build is a success; an image of a
// layout gets its tag then.
type Exports struct {
	Outputs []output.Output      // the layout last, with their places filled in
	Entries []client.ExportEntry // what an engine is told of them, once they are open

	usual    bool           // nobody typed where the layout goes
	weights  bool           // there are layers that are kept uncompressed
	layout   *layout.Layout // nil where no output is one
	archives []*atomicfile.Temporary
	folders  []folder
}

// folder receives the bare files of an image as a tar.
type folder struct {
	*layout.Folder
	stream *io.PipeWriter
	done   chan error // says once how the stream was read
}

// errUnfinished is what a folder is told that no build fills any more.
var errUnfinished = errors.New("the build did not end")

// NewExports fills in where the outputs of an image go, and finds out what can't
// be written to, all of it at once: before the build and not after it. weights says
// whether it has layers that are kept uncompressed.
func NewExports(outputs []output.Output, name string, weights bool) (*Exports, error) {
	x := &Exports{Outputs: slices.Clone(outputs), weights: weights}
	slices.SortStableFunc(x.Outputs, func(a, b output.Output) int { return rank(a) - rank(b) })
	var faults []error
	for i := range x.Outputs {
		o := &x.Outputs[i]
		if o.Layout() && o.Dest == "" {
			o.Dest, x.usual = filepath.Join(distDir, name), true
		}
		switch {
		case o.ToStdout() || o.Type == output.Image:
		case o.Tar:
			faults = append(faults, checkArchive(o.Dest))
		default:
			faults = append(faults, layout.Writable(x.place(*o)))
		}
	}
	return x, errors.Join(faults...)
}

// rank puts the layout behind all others, and what is pushed behind the archives:
// of several exports BuildKit answers with the digests of the last.
func rank(o output.Output) int {
	switch {
	case o.Layout():
		return 2
	case o.Type == output.Image:
		return 1
	}
	return 0
}

func checkArchive(path string) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		err := failure.New(failure.Usage, &fs.PathError{Op: "writing", Path: path, Err: errors.New("it is a folder")})
		return failure.WithHint(err, "an archive needs the name of a file; for a folder add tar=false")
	}
	return layout.Writable(beneath.Typed(filepath.Dir(path)))
}

// place is the folder of an output. The usual one is made by steps from the current
// folder that nobody typed, and may hold what a project from elsewhere has put there.
func (x *Exports) place(o output.Output) beneath.Place {
	if x.usual && o.Layout() {
		return beneath.Place{Typed: ".", Below: o.Dest}
	}
	return beneath.Typed(o.Dest)
}

// Open opens what the outputs are written to.
func (x *Exports) Open(ctx context.Context, stdout io.Writer) error {
	faults := make([]error, 0, len(x.Outputs))
	for _, o := range x.Outputs {
		entry := Entry(o, x.weights)
		var err error
		switch {
		case o.Layout():
			if x.layout, err = layout.OpenAt(ctx, x.place(o)); err == nil {
				entry.OutputStore = x.layout.Store()
			}
		case o.Type == output.Local:
			entry.Output, err = x.folder(o.Dest)
		case o.ToStdout():
			entry.Output = give(unclosed{stdout})
		case o.Tar:
			entry.Output, err = x.archive(o.Dest)
		}
		faults, x.Entries = append(faults, err), append(x.Entries, entry)
	}
	if err := errors.Join(faults...); err != nil {
		return errors.Join(err, x.Close())
	}
	return nil
}

// archive makes the file that will be the archive at path.
func (x *Exports) archive(path string) (func(map[string]string) (io.WriteCloser, error), error) {
	t, err := atomicfile.File(path)
	if err != nil {
		return nil, err
	}
	x.archives = append(x.archives, t)
	f, err := t.Create()
	if err != nil {
		return nil, err
	}
	return give(f), nil
}

// folder makes the folder that will be at path.
func (x *Exports) folder(path string) (func(map[string]string) (io.WriteCloser, error), error) {
	f, err := layout.PrepareFolder(path)
	if err != nil {
		return nil, failure.New(failure.Usage, fmt.Errorf("writing the image's files: %w", err))
	}
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		defer close(done)
		err := f.Read(r)
		_ = r.CloseWithError(err) // whatever writes on is told why
		done <- err
	}()
	x.folders = append(x.folders, folder{f, w, done})
	return give(w), nil
}

func give(w io.WriteCloser) func(map[string]string) (io.WriteCloser, error) {
	return func(map[string]string) (io.WriteCloser, error) { return w, nil }
}

type unclosed struct{ io.Writer }

func (unclosed) Close() error { return nil }

// Keep puts what a build has written in its place: archives and folders get their names,
// the layout gets a tag and is swept of what no tag needs any more. It returns the image
// as it lies there, or in an archive; the zero value where it is somewhere else.
func (x *Exports) Keep(ctx context.Context, tag string, desc ocispec.Descriptor) (image layout.Image, err error) {
	if err = x.commit(); err != nil {
		return image, fmt.Errorf("putting the output in its place: %w", err)
	}
	if x.layout == nil {
		return x.readArchives(ctx, desc)
	}
	if err = x.layout.Tag(ctx, tag, desc); err != nil {
		return image, err
	}
	if _, err = x.layout.Sweep(ctx); err != nil {
		return image, err
	}
	return x.layout.Read(ctx, tag)
}

func (x *Exports) commit() error {
	faults := make([]error, 0, len(x.archives)+len(x.folders))
	for _, a := range x.archives {
		faults = append(faults, a.Commit(0o644))
	}
	for _, f := range x.folders {
		err := <-f.done
		if err == nil {
			err = f.Commit()
		}
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}

// readArchives looks for an image in the archives. It may be in none: one that is pushed
// beside them can have another compression.
func (x *Exports) readArchives(ctx context.Context, desc ocispec.Descriptor) (layout.Image, error) {
	for _, o := range x.Outputs {
		if !o.Tar || o.ToStdout() {
			continue
		}
		if image, ok, err := layout.ReadArchive(ctx, o.Dest, desc); ok || err != nil {
			return image, err
		}
	}
	return layout.Image{}, nil
}

// Close removes what didn't get to its place, and lets go of the layout. One
// that was made for this build, and got no image, goes as well.
func (x *Exports) Close() error {
	var faults []error
	for _, a := range x.archives {
		faults = append(faults, a.Close())
	}
	for _, f := range x.folders {
		_ = f.stream.CloseWithError(errUnfinished)
		for range f.done { // its error is this one, or the build has told it
		}
		faults = append(faults, f.Close())
	}
	if x.layout != nil {
		faults = append(faults, x.layout.Discard())
	}
	return errors.Join(faults...)
}
