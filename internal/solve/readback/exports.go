// Package readback is what becomes of an image that an engine has exported: it is held against
// the one that was drawn, gets the layers that no engine exports, and its names at last.
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

// distDir is where layouts go that nobody gave another place.
const distDir = "dist"

// Exports are the outputs of an image while it is built. What an engine exports is read
// back, and nobody sees it before that: an archive is written next to its place, an image of
// a layout or a registry gets its tags at last.
type Exports struct {
	Outputs []output.Output      // the layout last, with their places filled in
	Entries []client.ExportEntry // what an engine is told of them, once they are open
	// Documents are what is attached to an image in a layout or a registry; nil attaches nothing.
	Documents func(layout.Image) ([]referrer.Attachment, error)

	Kept     []digest.Digest      // the manifest or index of each, once it is kept; "" where it is none or can't be read
	Images   []layout.Image       // that of each platform as it lies in the layout, else in a registry, else in an archive
	Attached []ocispec.Descriptor // the artifacts that documents became, each once

	called      string         // name of the image where nobody gave it another: "faceblend:production"
	usual       bool           // nobody typed where the layout goes
	layout      *layout.Layout // nil where no output is one
	store       heldStore      // of the layout
	archives    map[int]*archive
	directories map[int]*directory
	platforms   []string             // "" alone where it doesn't matter
	outputs     []output.Output      // as the platform at hand has them
	described   []ocispec.Descriptor // what the engine says of each
	taken       [][]exported         // of each output the images that were read back
	pushed      []*pushed

	whole stages.Image
	from  Sources
}

// archive receives an archive of an image, or of its bare files, and directory those as a tar.
type archive struct {
	content sink
	stream
	temporary *atomicfile.Temporary // nil for the standard output and docker
	to        io.WriteCloser
}

// sink is what becomes of the tars that an engine sends.
type sink interface {
	Read(r io.Reader) error
	Close() error
}

type directory struct {
	*layout.Dir
	stream
}

// stream is what an engine writes to and somebody reads meanwhile.
type stream struct {
	*bufio.Writer
	pipe *io.PipeWriter
	done chan error // says once how it was read
}

// streamBuffer spares both sides waiting for each other at every piece, in bytes.
const streamBuffer = 1 << 20

func receive(read func(io.Reader) error) stream {
	r, w := io.Pipe()
	s := stream{bufio.NewWriterSize(w, streamBuffer), w, make(chan error, 1)}
	go func() {
		defer close(s.done)
		err := read(bufio.NewReaderSize(r, streamBuffer))
		_ = r.CloseWithError(err) // whatever writes on is told why
		s.done <- err
	}()
	return s
}

// Close ends what an engine writes.
func (s stream) Close() error { return errors.Join(s.Flush(), s.pipe.Close()) }

// abandon ends a stream that no build fills any more.
func (s stream) abandon() {
	if s.pipe != nil { // it has begun
		_ = s.pipe.CloseWithError(errUnfinished)
	}
}

// wait waits for the end of who reads it.
func (s stream) wait() {
	if s.pipe == nil {
		return
	}
	for range s.done { // its error is that of abandon, or the build has told it
	}
}

// errUnfinished is what is told who reads what no build fills any more.
var errUnfinished = errors.New("the build did not end")

// NewExports fills in where the outputs of an image go, and how archives call it, and finds
// out what can't be written to, all of it at once: before the build and not after it. weights
// says whether layers are added to what an engine exports; where there are several platforms,
// their images have an index around them.
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
			problems = append(problems, failure.WithHint(failure.New(failure.Usage, fmt.Errorf("output %q: it takes the image of one platform, and no index of %s", o, strings.Join(platforms, ", "))),
				"build one alone for it: --platform "+platforms[0]))
		case weights && o.Type == output.Image && !o.Push:
			err := failure.New(failure.Usage, fmt.Errorf("output %q: an engine's own store takes no image with weights", o))
			problems = append(problems, failure.WithHint(err, "push=true has a registry take it; -o type=docker,dest=FILE is for \"docker load\""))
		case o.ToStdout() || o.Loads() || o.Type == output.Image || o.Type == output.CacheOnly:
		case o.Tar:
			problems = append(problems, checkArchive(o.Dest))
		default:
			problems = append(problems, layout.Writable(x.place(*o)))
		}
	}
	return x, errors.Join(problems...)
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
	refused := func(what, hint string) error {
		return failure.WithHint(failure.New(failure.Usage, &fs.PathError{Op: "writing", Path: path, Err: errors.New(what)}), hint)
	}
	info, err := os.Stat(path)
	switch {
	case err != nil || info.Mode().IsRegular():
	case info.IsDir():
		return refused("it is a directory", "an archive needs the name of a file; for a directory add tar=false")
	default: // a rename would put a file in the place of /dev/null
		return refused("it is a device, a pipe or a socket", "dest=- writes to the standard output")
	}
	return layout.Writable(beneath.Typed(filepath.Dir(path)))
}

// place is the directory of an output. The usual one is made by steps from the current
// directory that nobody typed, and may hold what a project from elsewhere has put there.
func (x *Exports) place(o output.Output) beneath.Place {
	if x.usual && o.Layout() {
		return beneath.Place{Typed: ".", Below: o.Dest}
	}
	return beneath.Typed(o.Dest)
}

// several says whether there is an index.
func (x *Exports) several() bool { return len(x.platforms) > 1 }

// Open opens what the outputs are written to.
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

// begin tells an engine of the outputs, for the next platform.
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

// below has files lie as docker buildx lays those of several platforms.
func (x *Exports) below(files any) {
	if bare, ok := files.(interface{ Below(dir string) }); ok && x.several() {
		bare.Below(strings.ReplaceAll(x.platforms[len(x.Images)], "/", "_"))
	}
}

// writer is what BuildKit asks for where an export goes.
type writer = func(map[string]string) (io.WriteCloser, error)

// archive makes the file that will be an archive.
func (x *Exports) archive(i int) error {
	t, err := atomicfile.File(x.Outputs[i].Dest)
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

// Of says which image is exported, and where the layers are that no engine exports.
func (x *Exports) Of(image stages.Image, from Sources) { x.whole, x.from = image, from }

// Batch is what an engine exports at once: of several exports it describes the last alone, so
// that all those in need of it have one manifest.
type Batch struct {
	Entries []client.ExportEntry
	outputs []int
}

// Batches are all that an engine has to export. What is pushed from an engine of this machine
// passes through here, and its registry is reached now.
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
				at, ok = 0, true // next to archives and files
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
	if len(list) == 0 { // it is made all the same
		list = []Batch{{}}
	}
	for i := range list {
		list[i].share()
	}
	return list, nil
}

// share has one export fill all stores: a client takes no second one, and all of a batch
// have the same manifest.
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

// send has an engine write into a store what goes from there to the repositories of an output.
func (x *Exports) send(ctx context.Context, i int) (client.ExportEntry, error) {
	o := x.outputs[i]
	var stores []content.Store
	for _, repository := range repositories(o.Names) {
		p, err := x.repository(ctx, o, i, repository)
		if err != nil {
			return client.ExportEntry{}, err
		}
		if p.sender == nil {
			p.sender = newSender(p.Repository, x.from.Send)
		}
		stores = append(stores, p.sender)
	}
	o.Type, o.Push, o.Names = output.OCI, false, nil
	entry := Entry(o)
	entry.OutputStore = share(stores)
	return entry, nil
}

// SendError is why something could not be pushed, of which an engine tells the text alone.
func (x *Exports) SendError() error {
	problems := make([]error, 0, len(x.pushed))
	for _, p := range x.pushed {
		if p.sender != nil {
			problems = append(problems, p.sender.err())
		}
	}
	return errors.Join(problems...)
}

// Answer remembers what an engine says of a batch.
func (x *Exports) Answer(b Batch, said ocispec.Descriptor) {
	for _, i := range b.outputs {
		x.described[i] = said
	}
}

// Close removes what didn't get to its place, and lets go of the layout. One
// that was made for this build, and got no image, goes as well.
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
			_ = a.to.Close() // it was killed, or has the image
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
