package spec

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"reflect"
	"slices"

	"lamina.build/internal/failure"
	"lamina.build/internal/toml"
)

// FileName is the name of a directory's spec.
const FileName = "image.toml"

// maxSize bounds what is read, far above the size of any spec.
const maxSize = 1 << 20

// Error is one problem in a spec with its position: File, Line and Column (both from 1,
// in characters), Message. Its text begins with the position, as compilers print it:
// FILE:LINE:COLUMN: problem.
type Error = toml.Error

// File is an image.toml without problems.
type File struct {
	name     string
	doc      *toml.Document
	editions []edition // production first
}

// Read parses the image.toml of a directory, which errors call dir.
func Read(directory fs.FS, dir string) (*File, error) {
	name := path.Join(dir, FileName)
	if info, err := fs.Stat(directory, FileName); err == nil && !info.Mode().IsRegular() && !info.IsDir() {
		return nil, unreadable(name, errors.New("it is not a regular file")) // opening it might block
	}
	in, err := directory.Open(FileName)
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
		return failure.WithHint(err, "name a directory with an "+FileName)
	}
	return err
}

// Parse reads data as an image.toml. The error holds one [Error] for every problem of
// the file, in the order of the file, under the given name.
func Parse(name string, data []byte) (*File, error) {
	if len(data) > maxSize {
		return nil, failure.New(failure.Usage, fmt.Errorf("reading spec %q: more than %d bytes", name, maxSize))
	}
	doc, problems := toml.Parse(name, data)
	doc.Suggest = failure.DidYouMean
	f := &File{name, doc, editions(problems)}
	f.check(problems)
	if err := problems.Err(); err != nil {
		return nil, failure.New(failure.Usage, err)
	}
	return f, nil
}

// check decodes every variant to find its problems, and first the file without any, so
// that a problem is reported even if every variant overlays it. Variants that overlay
// nothing don't decode the same tables again.
func (f *File) check(problems *toml.Problems) {
	d := newDecoder(problems)
	first := d.spec(edition{doc: bare(f.doc)})
	specs := make([]Spec, len(f.editions))
	for i, e := range f.editions {
		if e.overlays {
			specs[i] = d.spec(e)
			continue
		}
		d.variant(e.name, problems.Read(e.own))
		specs[i] = first
	}
	f.checkRepositories(specs, problems)
}

// checkRepositories reports different repositories of one name: a lock identifies them
// by name.
func (f *File) checkRepositories(specs []Spec, problems *toml.Problems) {
	type owned struct {
		Repository
		variant string
	}
	known := map[string]owned{}
	for i, e := range f.editions {
		seen := map[string]bool{}
		for _, r := range specs[i].Debian.Repositories {
			old, ok := known[r.Name]
			if !ok {
				known[r.Name] = owned{r, e.name}
			} else if !seen[r.Name] && !reflect.DeepEqual(old.Repository, r) {
				list := e.doc.Get("debian").Value.Table.Get("repository")
				problems.Add(list.Offset, "repository: %q of variant %s differs from that of variant %s", r.Name, e.name, old.variant)
			}
			seen[r.Name] = true
		}
	}
}

// Variants returns the names of the variants: production, then the others in
// alphabetical order. Production, minimal and debug always exist.
func (f *File) Variants() []string {
	names := make([]string, len(f.editions))
	for i, e := range f.editions {
		names[i] = e.name
	}
	return names
}

// Variant returns the value of one variant, which the caller may change.
func (f *File) Variant(name string) (Spec, error) {
	i := slices.IndexFunc(f.editions, func(e edition) bool { return e.name == name })
	if i < 0 {
		err := fmt.Errorf("%s: no variant %q%s", f.name, name, failure.DidYouMean(name, f.Variants()))
		return Spec{}, failure.New(failure.Usage, err)
	}
	s, _ := f.decode(f.editions[i])
	return s, nil
}

// Places returns the positions of the words of a variant's [python], "image.toml:8:14",
// for messages about them. The keys are "KEY WORD", the word normalised as a project's
// name: "overrides torch==2.6.0", "packages torch" of an index, "build-requires apex" of
// that key, "build-requires apex wheel" of a word in its list; and "debconf ANSWER" of an
// answer of [debian].
func (f *File) Places(variant string) map[string]string {
	places := map[string]string{}
	for _, e := range f.editions {
		if e.name != variant {
			continue
		}
		_, d := f.decode(e)
		for word, offset := range d.words {
			at := f.doc.Problem(offset, "")
			places[word] = fmt.Sprintf("%s:%d:%d", at.File, at.Line, at.Column)
		}
	}
	return places
}

func (f *File) decode(e edition) (Spec, *decoder) {
	d := newDecoder(f.doc.Problems())
	return d.spec(e), d
}
