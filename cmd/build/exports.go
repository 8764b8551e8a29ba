package main

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/moby/buildkit/client"

	"lamina.build/internal/fault"
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
	archives []archive
}

type archive struct{ temporary, path string }

// places fills in where the outputs of an image go, and finds out what can't
// be written to, all of it at once: before the build and not after it.
func places(outputs []output.Output, name string) ([]output.Output, error) {
	var faults []error
	outputs = layoutLast(outputs)
	for i := range outputs {
		o := &outputs[i]
		if o.Layout() && o.Dest == "" {
			o.Dest = filepath.Join(distDir, name)
		}
		switch {
		case o.ToStdout() || o.Type == output.Image:
		case o.Tar:
			faults = append(faults, checkArchive(o.Dest))
		default:
			faults = append(faults, layout.Writable(o.Dest))
		}
	}
	return outputs, errors.Join(faults...)
}

func checkArchive(path string) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		err := fault.New(fault.Usage, &fs.PathError{Op: "writing", Path: path, Err: errors.New("it is a folder")})
		return fault.WithHint(err, "an archive needs the name of a file; for a folder add tar=false")
	}
	return layout.Writable(filepath.Dir(path))
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
		entry.Type, entry.Attrs = string(o.Type), attributes(o, weights)
		x.outputs, x.entries = append(x.outputs, o), append(x.entries, entry)
	}
	if err := errors.Join(faults...); err != nil {
		return nil, errors.Join(err, x.close())
	}
	return x, nil
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
		if x.layout, err = layout.Open(ctx, o.Dest); err == nil {
			entry.OutputStore = x.layout.Store()
		}
	case o.Type == output.Local:
		entry.OutputDir = o.Dest
	case o.ToStdout():
		entry.Output = give(unclosed{stdout})
	case o.Tar:
		entry.Output, err = x.archive(o.Dest)
	}
	return entry, err
}

// archive makes the file that will be the archive at path.
func (x *exports) archive(path string) (func(map[string]string) (io.WriteCloser, error), error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // an image is no secret
		return nil, err
	}
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+".*")
	if err != nil {
		return nil, err
	}
	x.archives = append(x.archives, archive{f.Name(), path})
	return give(f), f.Chmod(0o644)
}

func give(w io.WriteCloser) func(map[string]string) (io.WriteCloser, error) {
	return func(map[string]string) (io.WriteCloser, error) { return w, nil }
}

type unclosed struct{ io.Writer }

func (unclosed) Close() error { return nil }

// commit puts the finished archives in their places.
func (x *exports) commit() error {
	faults := make([]error, len(x.archives))
	for i, a := range x.archives {
		faults[i] = os.Rename(a.temporary, a.path)
	}
	x.archives = nil
	return errors.Join(faults...)
}

// close removes the archives that didn't get to their places and lets go of
// the layout.
func (x *exports) close() error {
	faults := make([]error, 0, len(x.archives)+1)
	for _, a := range x.archives {
		faults = append(faults, os.Remove(a.temporary))
	}
	if x.layout != nil {
		faults = append(faults, x.layout.Close())
	}
	return errors.Join(faults...)
}
