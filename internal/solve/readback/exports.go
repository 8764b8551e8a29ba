// Package readback finishes an image that an engine has exported: it compares it with what was
// drawn, adds the layers that engines don't export, and sets its names last.
package readback

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/moby/buildkit/client"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/internal/atomicfile"
	"lamina.build/internal/beneath"
	"lamina.build/internal/failure"
	"lamina.build/internal/layout"
	"lamina.build/internal/referrer"
	"lamina.build/output"
	"lamina.build/stages"
)

// distDir is the default directory for layouts.
const distDir = "dist"

// Exports are the outputs of an image while it is built. What an engine exports is read back
// before it is visible: an archive is written next to its final path, and an image in a
// layout or a registry gets its tags last.
type Exports struct {
	Outputs []output.Output      // the layout last, with their destinations filled in
	Entries []client.ExportEntry // for the engine, once they are open
	// Documents makes what to attach to an image in a layout or a registry; nil attaches nothing.
	Documents func(layout.Image) ([]referrer.Attachment, error)
	// IndexDocuments does so for the index of several images, of which it has only the descriptor.
	IndexDocuments func(layout.Image) ([]referrer.Attachment, error)

	Kept     []digest.Digest      // the manifest or index of each, once it is kept; "" if there is none or it can't be read
	Images   []layout.Image       // the image of each platform as in the layout, else in a registry, else in an archive
	Attached []ocispec.Descriptor // the artifacts of the documents, each once

	called      string         // default name of the image: "faceblend:production"
	usual       bool           // the layout has the default path
	layout      *layout.Layout // nil if no output is one
	store       heldStore      // of the layout
	archives    map[int]*archive
	directories map[int]*directory
	platforms   []string             // "" alone where it doesn't matter
	outputs     []output.Output      // for the current platform
	described   []ocispec.Descriptor // the engine's descriptor of each
	taken       [][]exported         // for each output, the images that were read back
	pushed      []*pushed

	whole stages.Image
	from  Sources
}

// archive receives an archive of an image or of its bare files; directory, those files as a tar.
type archive struct {
	content sink
	stream
	temporary *atomicfile.Temporary // nil for the standard output and docker
	to        io.WriteCloser
}

// sink consumes the tars that an engine sends.
type sink interface {
	Read(r io.Reader) error
	Close() error
}

type directory struct {
	*layout.Dir
	stream
}

// stream is what an engine writes to while a goroutine reads it.
type stream struct {
	*bufio.Writer
	pipe *io.PipeWriter
	done chan error // gets the reader's result, once
}

// streamBuffer is the size of buffers, in bytes, that keep both ends from waiting for each other at every write.
const streamBuffer = 1 << 20

func receive(read func(io.Reader) error) stream {
	r, w := io.Pipe()
	s := stream{bufio.NewWriterSize(w, streamBuffer), w, make(chan error, 1)}
	go func() {
		defer close(s.done)
		err := read(bufio.NewReaderSize(r, streamBuffer))
		_ = r.CloseWithError(err) // later writes fail with it
		s.done <- err
	}()
	return s
}

// Close ends the engine's output.
func (s stream) Close() error { return errors.Join(s.Flush(), s.pipe.Close()) }

// abandon ends a stream that no build writes to any more.
func (s stream) abandon() {
	if s.pipe != nil { // it has begun
		_ = s.pipe.CloseWithError(errUnfinished)
	}
}

// wait waits until the reader has ended.
func (s stream) wait() {
	if s.pipe == nil {
		return
	}
	for range s.done { // its error comes from abandon, or the build has reported it
	}
}

// errUnfinished is the error of an abandoned stream's reader.
var errUnfinished = errors.New("the build did not finish")

// NewExports fills in the destinations of an image's outputs and its name in archives, and
// reports all unwritable ones at once, before the build. weights says whether layers are added
// to what an engine exports; the images of several platforms get an index.
func NewExports(outputs []output.Output, name, variant string, weights bool, platforms ...string) (*Exports, error) {
	if len(platforms) == 0 {
		platforms = []string{""}
	}
	x := &Exports{Outputs: slices.Clone(outputs), called: name + ":" + variant, platforms: platforms, archives: map[int]*archive{}, directories: map[int]*directory{}}
	slices.SortStableFunc(x.Outputs, func(a, b output.Output) int { return rank(a) - rank(b) })
	var problems []error
	for i := range x.Outputs {
		o := &x.Outputs[i]
		if o.Layout() && o.Dest == "" {
			o.Dest, x.usual = filepath.Join(distDir, name), true
		}
		if o.Tar && o.HasImage() && len(o.Names) == 0 {
			o.Names = []string{x.called}
		}
		switch {
		case x.several() && (o.Type == output.Docker || o.Type == output.Image && !o.Push):
			problems = append(problems, failure.WithHint(failure.New(failure.Usage, fmt.Errorf("output %q: it accepts the image of one platform, not an index of %s", o, strings.Join(platforms, ", "))),
				"build only one for it: --platform "+platforms[0]))
		case weights && o.Type == output.Image && !o.Push:
			err := failure.New(failure.Usage, fmt.Errorf("output %q: an engine's own store accepts no image with weights", o))
			problems = append(problems, failure.WithHint(err, "push=true sends it to a registry; -o type=docker,dest=FILE is for \"docker load\""))
		case o.ToStdout() || o.Loads() || o.Type == output.Image || o.Type == output.CacheOnly:
		case o.Tar:
			problems = append(problems, checkArchive(o.Dest))
		default:
			problems = append(problems, layout.Writable(x.place(*o)))
		}
	}
	return x, errors.Join(problems...)
}

// rank sorts the layout after all others, and pushes after archives: BuildKit returns only
// the digests of the last export.
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
	refused := func(what, hint string) error {
		return failure.WithHint(failure.New(failure.Usage, &fs.PathError{Op: "writing", Path: path, Err: errors.New(what)}), hint)
	}
	info, err := os.Stat(path)
	switch {
	case err != nil || info.Mode().IsRegular():
	case info.IsDir():
		return refused("it is a directory", "name a file for the archive, or add tar=false for a directory")
	default: // a rename would replace /dev/null with a file
		return refused("it is a device, a pipe or a socket", "dest=- writes to the standard output")
	}
	return layout.Writable(beneath.Typed(filepath.Dir(path)))
}

// place returns the directory of an output. The user didn't type the steps of the default one
// below the current directory, where a project from elsewhere may have put anything.
func (x *Exports) place(o output.Output) beneath.Place {
	if x.usual && o.Layout() {
		return beneath.Place{Typed: ".", Below: o.Dest}
	}
	return beneath.Typed(o.Dest)
}

// several reports whether there is an index.
func (x *Exports) several() bool { return len(x.platforms) > 1 }

// Open opens the destinations of the outputs.
func (x *Exports) Open(ctx context.Context, stdout io.Writer) error {
	problems := make([]error, 0, len(x.Outputs))
	x.taken = make([][]exported, len(x.Outputs))
	for i, o := range x.Outputs {
		var err error
		switch {
		case o.Layout():
			if x.layout, err = layout.OpenAt(ctx, x.place(o)); err == nil {
				x.store = holdBack(x.layout.Store())
			}
		case o.Type == output.Local:
			var f *layout.Dir
			if f, err = layout.PrepareDir(o.Dest); err != nil {
				err = failure.New(failure.Usage, fmt.Errorf("writing the image's files: %w", err))
			} else {
				x.directories[i] = &directory{Dir: f}
			}
		case o.ToStdout():
			x.receive(i, &archive{to: unclosed{stdout}})
		case o.Loads():
			var l *loader
			if l, err = newLoader(ctx); err == nil {
				x.receive(i, &archive{to: l})
			}
		case o.Tar:
			err = x.archive(i)
		}
		problems = append(problems, err)
	}
	if err := errors.Join(problems...); err != nil {
		return errors.Join(err, x.Close())
	}
	x.begin()
	return nil
}

// begin prepares the entries of the outputs for the next platform.
func (x *Exports) begin() {
	platform := x.platforms[len(x.Images)]
	x.outputs, x.Entries = slices.Clone(x.Outputs), make([]client.ExportEntry, len(x.Outputs))
	x.described = make([]ocispec.Descriptor, len(x.Outputs))
	for i := range x.outputs {
		o := &x.outputs[i]
		o.Annotations = slices.DeleteFunc(slices.Clone(o.Annotations), func(a output.Annotation) bool { return x.several() && a.Platform != "" && a.Platform != platform })
		entry := Entry(*o)
		a, f := x.archives[i], x.directories[i]
		switch {
		case o.Layout():
			entry.OutputStore = x.store
		case a != nil:
			x.below(a.content)
			a.stream = receive(a.content.Read)
			entry.Output = give(a.stream)
		case f != nil:
			x.below(f.Dir)
			f.stream = receive(f.Read)
			entry.Output = give(f.stream)
		}
		x.Entries[i] = entry
	}
}

// below arranges the files of several platforms as docker buildx does.
func (x *Exports) below(files any) {
	if bare, ok := files.(interface{ Below(dir string) }); ok && x.several() {
		bare.Below(strings.ReplaceAll(x.platforms[len(x.Images)], "/", "_"))
	}
}

// writer is what BuildKit calls for the destination of an export.
type writer = func(map[string]string) (io.WriteCloser, error)

// archive makes the temporary file of an archive.
func (x *Exports) archive(i int) error {
	t, err := atomicfile.File(x.Outputs[i].Dest, 0o644)
	if err != nil {
		return err
	}
	f, err := t.Create()
	if err != nil {
		return errors.Join(err, t.Close())
	}
	x.receive(i, &archive{temporary: t, to: f})
	return nil
}

func (x *Exports) receive(i int, a *archive) {
	a.content = layout.NewArchive(a.to)
	if !x.Outputs[i].HasImage() {
		a.content = layout.NewTar(a.to)
	}
	x.archives[i] = a
}

func give(w io.WriteCloser) writer {
	return func(map[string]string) (io.WriteCloser, error) { return w, nil }
}

type unclosed struct{ io.Writer }

func (unclosed) Close() error { return nil }

// Of sets the image that is exported, and the sources of the layers that engines don't export.
func (x *Exports) Of(image stages.Image, from Sources) { x.whole, x.from = image, from }

// Batch is what an engine exports at once. The engine describes only the last export, so all
// exports that need a descriptor have the same manifest.
type Batch struct {
	Entries []client.ExportEntry
	outputs []int
}

// Batches returns all that an engine has to export. It opens the repositories of what is
// pushed from here.
func (x *Exports) Batches(ctx context.Context) (list []Batch, err error) {
	told := map[string]int{}
	for i, o := range x.outputs {
		if o.Type == output.CacheOnly {
			continue
		}
		manifest := string(compression(o)) + text(annotations(o, false))
		at, ok := 0, len(list) > 0
		if o.Layout() || o.Type == output.Image {
			if at, ok = told[manifest]; !ok && len(told) == 0 && len(list) > 0 {
				at, ok = 0, true // together with archives and files
			}
		}
		if !ok {
			at, list = len(list), append(list, Batch{})
		}
		if o.Layout() || o.Type == output.Image {
			told[manifest] = at
		}
		entry := x.Entries[i]
		if o.Push && x.from.Send != nil {
			if entry, err = x.send(ctx, i); err != nil {
				return nil, err
			}
		}
		list[at].Entries, list[at].outputs = append(list[at].Entries, entry), append(list[at].outputs, i)
	}
	if len(list) == 0 { // the image is built all the same
		list = []Batch{{}}
	}
	for i := range list {
		list[i].share()
	}
	return list, nil
}

// share makes one export fill all stores: BuildKit's client accepts only one, and all outputs
// of a batch have the same manifest.
func (b *Batch) share() {
	var stores []content.Store
	var last client.ExportEntry
	b.Entries = slices.DeleteFunc(b.Entries, func(e client.ExportEntry) bool {
		if e.OutputStore == nil {
			return false
		}
		stores, last = append(stores, e.OutputStore), e
		return true
	})
	if len(stores) > 0 {
		last.OutputStore = share(stores)
		b.Entries = append(b.Entries, last)
	}
}

// send makes the engine export to a store that uploads to the repositories of an output.
func (x *Exports) send(ctx context.Context, i int) (client.ExportEntry, error) {
	o := x.outputs[i]
	var stores []content.Store
	for _, repository := range repositories(o.Names) {
		p, err := x.repository(ctx, o, i, repository)
		if err != nil {
			return client.ExportEntry{}, err
		}
		if p.sender == nil {
			p.sender = newSender(p.Repository)
		}
		p.sender.report = x.from.Send // that of this attempt
		stores = append(stores, p.sender)
	}
	o.Type, o.Push, o.Names = output.OCI, false, nil
	entry := Entry(o)
	entry.OutputStore = share(stores)
	return entry, nil
}

// SendError returns why a push from here failed. An engine's error has only the text of it.
func (x *Exports) SendError() error {
	problems := make([]error, 0, len(x.pushed))
	for _, p := range x.pushed {
		if p.sender != nil {
			problems = append(problems, p.sender.err())
		}
	}
	return errors.Join(problems...)
}

// Answer records the engine's descriptor of a batch.
func (x *Exports) Answer(b Batch, said ocispec.Descriptor) {
	for _, i := range b.outputs {
		x.described[i] = said
	}
}

// Close removes what was not committed, and releases the layout. It removes a layout that was
// made for this build and got no image.
func (x *Exports) Close() error {
	var problems []error
	for _, a := range x.archives {
		a.abandon()
		if l, ok := a.to.(*loader); ok {
			l.kill()
		} else if a.temporary == nil {
			continue // nobody may read the standard output any more
		}
		a.wait()
		if a.temporary == nil {
			_ = a.to.Close() // docker was killed, or has the image
			continue
		}
		if err := a.to.Close(); !errors.Is(err, os.ErrClosed) {
			problems = append(problems, err)
		}
		problems = append(problems, a.temporary.Close())
	}
	for _, f := range x.directories {
		f.abandon()
		f.wait()
		problems = append(problems, f.Dir.Close())
	}
	if x.layout != nil {
		problems = append(problems, x.layout.Discard())
	}
	return errors.Join(problems...)
}
