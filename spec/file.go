package spec

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"

	"lamina.build/internal/failure"
)

// FileName is what the spec of a folder is called.
const FileName = "image.toml"

// maxSize bounds what is read; no spec comes near it.
const maxSize = 1 << 20

// File is an image.toml without faults.
type File struct {
	doc      *document
	editions map[string]edition
	names    []string
}

// Read parses the image.toml of a folder; dir is what errors call that.
func Read(folder fs.FS, dir string) (*File, error) {
	name := path.Join(dir, FileName)
	in, err := folder.Open(FileName)
	if err != nil {
		return nil, unreadable(name, err)
	}
	defer in.Close()
	data, err := io.ReadAll(io.LimitReader(in, maxSize+1))
	if err != nil {
		return nil, unreadable(name, err)
	}
	return Parse(name, data)
}

func unreadable(name string, err error) error {
	if at, ok := errors.AsType[*fs.PathError](err); ok {
		err = at.Err
	}
	err = failure.New(failure.Usage, fmt.Errorf("reading spec %q: %w", name, err))
	if errors.Is(err, fs.ErrNotExist) {
		return failure.WithHint(err, "name a folder that holds an "+FileName)
	}
	return err
}

// Parse reads data as an image.toml. The error holds one [Error] for every
// fault of the file, in the order of the file; name is what they call it.
func Parse(name string, data []byte) (*File, error) {
	if len(data) > maxSize {
		return nil, failure.New(failure.Usage, fmt.Errorf("reading spec %q: more than %d bytes", name, maxSize))
	}
	data = bytes.TrimPrefix(data, []byte("\uFEFF"))
	doc := newDocument(name, slices.Clip(bytes.Clone(data)))
	found := newFaults(doc)
	root, whole := scan(doc, found)
	f := &File{doc: doc, editions: editions(root, found)}
	f.names = order(f.editions)

	f.check(without(root, "variant"), found, whole)
	if err := found.err(); err != nil {
		return nil, err
	}
	return f, nil
}

// check decodes every variant for what is wrong with it, and first the file
// without any, so that a fault is reported also where every variant overlays
// it. Variants that overlay nothing need no second look at the same tables.
func (f *File) check(bare *table, found *faults, whole bool) {
	d := &decoder{faults: found, whole: whole}
	first := d.spec(edition{doc: bare})
	var specs []Spec
	for _, name := range f.names {
		e := f.editions[name]
		if e.overlays {
			specs = append(specs, d.spec(e))
			continue
		}
		d.variant(name, d.read(e.own))
		first.Variant = name
		specs = append(specs, first)
	}
	f.checkRepositories(specs, found)
}

// checkRepositories reports repositories that share a name and nothing else:
// a lock knows them by name.
func (f *File) checkRepositories(specs []Spec, found *faults) {
	type owned struct {
		Repository
		variant string
	}
	known := map[string]owned{}
	for _, s := range specs {
		seen := map[string]bool{}
		for _, r := range s.Debian.Repositories {
			old, ok := known[r.Name]
			if !ok {
				known[r.Name] = owned{r, s.Variant}
			} else if !seen[r.Name] && !old.equal(r) {
				e := f.editions[s.Variant].doc.get("debian").value.table.get("repository")
				found.add(e.offset, "repository: %q of variant %s differs from that of variant %s",
					r.Name, s.Variant, old.variant)
			}
			seen[r.Name] = true
		}
	}
}

func (r Repository) equal(o Repository) bool {
	return r.URL == o.URL && r.Suite == o.Suite && r.Key == o.Key && slices.Equal(r.Components, o.Components)
}

// Name returns the name of the image.
func (f *File) Name() string { return f.decode(Production).spec.Name }

// Variants returns the names of the variants: production, then the others in
// the order of the alphabet. Production, minimal and debug always exist.
func (f *File) Variants() []string { return slices.Clone(f.names) }

// Variant returns the value of one variant, which the caller may change.
func (f *File) Variant(name string) (Spec, error) {
	if _, ok := f.editions[name]; !ok {
		err := fmt.Errorf("%s: no variant %q%s", f.doc.name, name, failure.DidYouMean(name, f.names))
		return Spec{}, failure.New(failure.Usage, err)
	}
	return f.decode(name).spec, nil
}

// decoded is what is known of a variant that has no faults.
type decoded struct {
	spec  Spec
	files []reference
	marks []mark
}

func (f *File) decode(name string) decoded {
	d := &decoder{faults: newFaults(f.doc), whole: true}
	s := d.spec(f.editions[name])
	return decoded{s, d.files, d.marks}
}
