package spec

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"reflect"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"lamina.build/internal/fault"
	"lamina.build/internal/requirements"
	"lamina.build/lock"
)

// PythonRequest is what one set of Python distributions has to answer.
type PythonRequest struct {
	Set string // of the lock: "python", or "python@NAME" of a variant that wishes for something else
	Python
	Files  requirements.Set // what the requirement files say
	Pylock []byte           // the content of the pylock.toml
}

// maxPylock bounds the size of a pylock.toml.
const maxPylock = 16 << 20

// resolves says whether there is anything for pip to do.
func (p Python) resolves() bool {
	return len(p.Requirements) > 0 || p.Lock != "" || len(p.BuildRequires) > 0
}

// resolved is the part of p that a lock answers. What a build does with the
// distributions is not.
func (p Python) resolved() Python {
	p.Sources = slices.DeleteFunc(sourceNames(p.Sources), func(name string) bool { return p.BuildRequires[name] == nil })
	p.Prune, p.Compile = nil, false
	return p
}

// SourceName is what a source tree is called where it needs a name: that of
// its folder, normalised.
func SourceName(dir string) string { return requirements.Normal(path.Base(dir)) }

func sourceNames(dirs []string) []string {
	names := make([]string, len(dirs))
	for i, dir := range dirs {
		names[i] = SourceName(dir)
	}
	return names
}

// PythonRequests returns the sets of all variants, production's first. The
// files that they name are read from root. The environment may hold logins
// that requirement files refer to; a nil env holds none.
func (f *File) PythonRequests(root fs.FS, env func(string) string) ([]PythonRequest, error) {
	var list []PythonRequest
	faults := make([]error, 0, len(f.names))
	shared := f.decode(Production).spec.Python.resolved()
	for _, name := range f.names {
		whole := f.decode(name).spec.Python
		p := whole.resolved()
		set := lock.SetPython
		if name != Production {
			if reflect.DeepEqual(p, shared) {
				continue
			}
			set += "@" + name
		}
		if !p.resolves() {
			continue
		}
		p.Prune = whole.Prune
		r := PythonRequest{Set: set, Python: p}
		faults = append(faults, r.read(root, env))
		list = append(list, r)
	}
	return list, errors.Join(faults...)
}

func (r *PythonRequest) read(root fs.FS, env func(string) string) (err error) {
	if r.Lock != "" {
		r.Pylock, err = readLimited(root, r.Lock, maxPylock)
		return fault.New(fault.Usage, err)
	}
	r.Files, err = requirements.Read(requirements.Options{
		FS: root, Requirements: r.Requirements, Constraints: r.Constraints, Env: env,
	})
	return err
}

func readLimited(root fs.FS, name string, limit int) ([]byte, error) {
	data, err := fs.ReadFile(root, name)
	if err != nil {
		return nil, reference{path: name, need: file}.explain(err)
	}
	if len(data) > limit {
		return nil, fmt.Errorf("%q has more than %d bytes", name, limit)
	}
	return data, nil
}

// pythonWishes words the requests as lines that a lock keeps.
func (f *File) pythonWishes(root fs.FS) ([]lock.PythonRequest, error) {
	requests, err := f.PythonRequests(root, nil)
	if err != nil {
		return nil, err
	}
	list := slices.Grow([]lock.PythonRequest(nil), len(requests)) // none stays nil
	for _, r := range requests {
		list = append(list, lock.PythonRequest{Set: r.Set, Lines: r.lines()})
	}
	return list, nil
}

func (r *PythonRequest) lines() []string {
	list := r.Files.Wishes()
	if r.Lock != "" {
		list = append(list, fmt.Sprintf("%s %s", r.Lock, digest.FromBytes(r.Pylock)))
	}
	for _, i := range r.Indexes {
		list = append(list, fmt.Sprintf("index %s %s: %s", i.Name, i.URL, strings.Join(sorted(i.Packages), ", ")))
	}
	for _, project := range slices.Sorted(maps.Keys(r.BuildRequires)) {
		list = append(list, fmt.Sprintf("build-requires %s: %s", project, strings.Join(sorted(r.BuildRequires[project]), ", ")))
	}
	for _, project := range r.Optional {
		list = append(list, "optional "+project)
	}
	return sorted(list)
}
