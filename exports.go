package lamina

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

	"lamina.build/internal/atomicfile"
	"lamina.build/internal/beneath"
	"lamina.build/internal/failure"
	"lamina.build/internal/layout"
	"lamina.build/internal/output"
)

// distDir is where layouts go that nobody gave another place.
const distDir = "dist"

// exports are the outputs of a build while it runs. An archive is written
// beside its place and gets there when the build is a success; an image of a
// layout gets its tag then.
type exports struct {
	outputs  []output.Output // with their places filled in
	entries  []client.ExportEntry
	layout   *layout.Layout // nil where no output is one
	archives []*atomicfile.Temporary
	folders  []folder
}

// folder receives the bare files of an image as a tar.
type folder struct {
	*layout.Folder
	stream *io.PipeWriter
	done   chan error
}

// errUnfinished is what a folder is told that no build fills any more.
var errUnfinished = errors.New("the build did not end")

// finished waits for the end of the stream and says how it was read.
func (f folder) finished() error { return <-f.done }

// places fills in where the outputs of an image go, and finds out what can't
// be written to, all of it at once: before the build and not after it.
func places(outputs []output.Output, name string) ([]output.Output, error) {
	var faults []error
	outputs = layoutLast(outputs)
	for i := range outputs {
		o := &outputs[i]
		if o.Layout() && o.Dest == "" {
			o.Dest, o.Usual = filepath.Join(distDir, name), true
		}
		switch {
		case o.ToStdout() || o.Type == output.Image:
		case o.Tar:
			faults = append(faults, checkArchive(o.Dest))
		default:
			faults = append(faults, layout.Writable(placeOf(*o)))
		}
	}
	return outputs, errors.Join(faults...)
}

func checkArchive(path string) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		err := failure.New(failure.Usage, &fs.PathError{Op: "writing", Path: path, Err: errors.New("it is a folder")})
		return failure.WithHint(err, "an archive needs the name of a file; for a folder add tar=false")
	}
	return layout.Writable(beneath.Typed(filepath.Dir(path)))
}

// placeOf is the folder of an output. The usual one is made by steps from the current
// folder that nobody typed, and may hold what a project from elsewhere has put there.
func placeOf(o output.Output) beneath.Place {
	if o.Usual {
		return beneath.Place{Typed: ".", Below: o.Dest}
	}
	return beneath.Typed(o.Dest)
}

// openExports opens what the outputs are written to.
func openExports(ctx context.Context, outputs []output.Output, weights bool, stdout io.Writer) (*exports, error) {
	x := &exports{}
	var faults []error
	for _, o := range outputs {
		entry, err := x.open(ctx, o, stdout)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		entry.Type, entry.Attrs = exporter(o), attributes(o, weights)
		x.outputs, x.entries = append(x.outputs, o), append(x.entries, entry)
	}
	if err := errors.Join(faults...); err != nil {
		return nil, errors.Join(err, x.close())
	}
	return x, nil
}

// exporter is what BuildKit calls the way out for an output. Bare files come as
// a tar, see [unpack].
func exporter(o output.Output) string {
	if o.Type == output.Local {
		return client.ExporterTar
	}
	return string(o.Type)
}

// layoutLast puts the layout behind all others, and what is pushed behind the
// archives: of several exports BuildKit answers with the digests of the last.
func layoutLast(outputs []output.Output) []output.Output {
	rank := func(o output.Output) int {
		switch {
		case o.Layout():
			return 2
		case o.Type == output.Image:
			return 1
		}
		return 0
	}
	sorted := slices.Clone(outputs)
	slices.SortStableFunc(sorted, func(a, b output.Output) int { return rank(a) - rank(b) })
	return sorted
}

func (x *exports) open(
	ctx context.Context, o output.Output, stdout io.Writer,
) (entry client.ExportEntry, err error) {
	switch {
	case o.Layout():
		if x.layout, err = layout.OpenAt(ctx, placeOf(o)); err == nil {
			entry.OutputStore = x.layout.Store()
		}
	case o.Type == output.Local:
		entry.Output, err = x.folder(o.Dest)
	case o.ToStdout():
		entry.Output = give(unclosed{stdout})
	case o.Tar:
		entry.Output, err = x.archive(o.Dest)
	}
	return entry, err
}

// archive makes the file that will be the archive at path.
func (x *exports) archive(path string) (func(map[string]string) (io.WriteCloser, error), error) {
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
func (x *exports) folder(path string) (func(map[string]string) (io.WriteCloser, error), error) {
	f, err := layout.PrepareFolder(path)
	if err != nil {
		return nil, failure.New(failure.Usage, fmt.Errorf("writing the image's files: %w", err))
	}
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
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

// commit puts the finished archives and folders in their places.
func (x *exports) commit() error {
	faults := make([]error, 0, len(x.archives)+len(x.folders))
	for _, a := range x.archives {
		err := a.Commit(0o644)
		if err != nil {
			err = errors.Join(err, a.Close())
		}
		faults = append(faults, err)
	}
	for _, f := range x.folders {
		err := f.finished()
		if err == nil {
			err = f.Commit()
		}
		if err != nil {
			err = errors.Join(err, f.Close())
		}
		faults = append(faults, err)
	}
	x.archives, x.folders = nil, nil
	return errors.Join(faults...)
}

// close removes what didn't get to its place, and lets go of the layout. One
// that was made for this build, and got no image, goes as well.
func (x *exports) close() error {
	faults := make([]error, 0, len(x.archives)+1)
	for _, a := range x.archives {
		faults = append(faults, a.Close())
	}
	for _, f := range x.folders {
		_ = f.stream.CloseWithError(errUnfinished)
		_ = f.finished() // its error is this one, or the build has told it
		faults = append(faults, f.Close())
	}
	if x.layout != nil {
		faults = append(faults, x.layout.Discard())
	}
	return errors.Join(faults...)
}
