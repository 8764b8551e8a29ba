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

	"lamina.build/internal/failure"
	"lamina.build/internal/resolve/requirements"
	"lamina.build/lock"
)

// PythonRequest is what one set of Python distributions has to answer.
type PythonRequest struct {
	Set lock.Set // of the lock: "python", or "python@NAME" of a variant that wishes for something else
	Python
	Files        requirements.Set  // what the requirement files say
	Pylock       []byte            // the content of the pylock.toml
	ProjectFiles []string          // what uv reads of the project: its pyproject.toml, uv.lock and what these name
	Git          bool              // something comes from a git repository
	Imports      []string          // modules that the smoke tests of the set's first variant import
	Trees        bool              // its git trees, or folders of its PYTHONPATH, may bring modules
	Places       map[string]string // where entries of lists stand, "image.toml:8:14", by "KEY ENTRY" as names are compared

	inputs []string // lines for the files that decide what is locked, with their digests
}

// maxPylock bounds the size of a pylock.toml.
const maxPylock = 16 << 20

// resolves says whether there is anything to lock.
func (p Python) resolves() bool {
	return len(p.Requirements) > 0 || p.Lock != "" || p.Project != "" || len(p.BuildRequires) > 0 || len(p.Sources) > 0
}

// resolved is the part of p that a lock answers. What a build does with the
// distributions is not.
func (p Python) resolved() Python {
	p.Prune, p.Compile = nil, false
	return p
}

// SourceName is what a source tree is called where it needs a name: that of
// its folder, normalised, or where two folders share that, its whole path.
func (p Python) SourceName(dir string) string {
	base := func(dir string) string { return requirements.Normal(path.Base(dir)) }
	if dir == "." {
		return "this-folder"
	}
	for _, other := range p.Sources {
		if other != dir && base(other) == base(dir) {
			return requirements.Normal(strings.ReplaceAll(dir, "/", "-"))
		}
	}
	return base(dir)
}

// PythonRequests returns the sets of all variants, production's first. The
// files that they name are read from root. The environment may hold logins
// that requirement files refer to; a nil env holds none.
func (f *File) PythonRequests(root fs.FS, env func(string) string) ([]PythonRequest, error) {
	var list []PythonRequest
	faults := make([]error, 0, len(f.names))
	shared := f.decode(Production).spec.Python.resolved()
	for _, name := range f.names {
		found := f.decode(name)
		whole := found.spec
		p := whole.Python.resolved()
		set := lock.Set{Kind: lock.SetPython}
		if name != Production {
			if reflect.DeepEqual(p, shared) {
				continue
			}
			set.Variant = name
		}
		// A variant that wants nothing says so where it would get production's otherwise.
		if !p.resolves() && (name == Production || !shared.resolves()) {
			continue
		}
		p.Prune = whole.Python.Prune
		r := PythonRequest{Set: set, Python: p, Imports: whole.Smoke.Imports, Places: map[string]string{}}
		for _, m := range found.marks {
			at := f.doc.place(m.offset, "")
			r.Places[m.entry] = fmt.Sprintf("%s:%d:%d", at.File, at.Line, at.Column)
		}
		r.Trees = len(whole.Git) > 0 || whole.App.Env["PYTHONPATH"] != ""
		faults = append(faults, r.read(root, env))
		list = append(list, r)
	}
	return list, errors.Join(faults...)
}

func (r *PythonRequest) read(root fs.FS, env func(string) string) error {
	var fileErr error
	switch {
	case path.Base(r.Lock) == uvLock:
		fileErr = r.readProject(root, path.Dir(r.Lock))
	case r.Lock != "":
		fileErr = r.readLock(root)
	case r.Project != "":
		fileErr = r.readProject(root, r.Project)
	}
	for _, dir := range r.Sources {
		fileErr = errors.Join(fileErr, r.readTree(root, dir))
	}
	var err error
	r.Files, err = requirements.Read(requirements.Options{
		FS: root, Requirements: r.Requirements, Constraints: r.Constraints, Env: env,
	})
	r.Git = r.Git || r.namesGit()
	return errors.Join(failure.New(failure.Usage, fileErr), err)
}

// namesGit says whether a requirement names a git repository.
func (r *PythonRequest) namesGit() bool {
	for _, w := range slices.Concat(r.Files.Requirements, r.Files.Constraints) {
		if w.Kind == requirements.Git {
			return true
		}
	}
	lines := slices.Concat(append(slices.Collect(maps.Values(r.BuildRequires)), r.Overrides)...)
	return slices.ContainsFunc(lines, containsGit)
}

// readLock reads a pylock.toml.
func (r *PythonRequest) readLock(root fs.FS) (err error) {
	if r.Pylock, err = readLimited(root, r.Lock, maxPylock); err != nil {
		return err
	}
	files, git, err := readPylock(r.Lock, r.Pylock)
	r.Git = git
	r.ProjectFiles = append([]string{r.Lock}, files...)
	r.inputs = append(r.inputs, fmt.Sprintf("%s %s", r.Lock, digest.FromBytes(r.Pylock)))
	return err
}

// readProject reads what uv reads of a project: its pyproject.toml, those of what
// that names, and its lock.
func (r *PythonRequest) readProject(root fs.FS, dir string) error {
	if err := r.readPyprojects(root, dir); err != nil {
		return err
	}
	top := workspaceOf(root, dir)
	if top != dir {
		if err := r.readPyprojects(root, top); err != nil {
			return err
		}
	}
	lockFile := path.Join(top, uvLock)
	if !regular(root, lockFile) {
		p, err := readPyproject(root, dir)
		return errors.Join(err, p.checkProject(dir))
	}
	data, err := readLimited(root, lockFile, maxUVLock)
	r.ProjectFiles = append(r.ProjectFiles, lockFile)
	r.inputs = append(r.inputs, fmt.Sprintf("%s %s", lockFile, digest.FromBytes(data)))
	r.Git = r.Git || containsGit(string(data))
	return errors.Join(err, checkLogins(lockFile, data))
}

// readPyprojects reads the pyproject.toml of a folder, of the members of its
// workspace and of the folders that its sources name. What these name that is not
// there uv says.
func (r *PythonRequest) readPyprojects(root fs.FS, dir string) error {
	own := path.Join(dir, "pyproject.toml")
	p, err := readPyproject(root, dir)
	if err != nil {
		return err
	}
	sum, err := p.digest()
	if err != nil {
		return fmt.Errorf("%s: %w", own, err)
	}
	more, err := p.files(root, dir)
	if err != nil {
		return err
	}
	r.ProjectFiles = append(r.ProjectFiles, own)
	r.inputs = append(r.inputs, fmt.Sprintf("%s %s", own, sum))
	r.Git = r.Git || p.usesGit()
	for _, name := range more {
		switch {
		case slices.Contains(r.ProjectFiles, name):
		case path.Base(name) == "pyproject.toml" && regular(root, name):
			err = errors.Join(err, r.readPyprojects(root, path.Dir(name)))
		default:
			r.ProjectFiles = append(r.ProjectFiles, name)
		}
	}
	return err
}

// containsGit finds the address of a git repository in a text.
func containsGit(text string) bool {
	return strings.Contains(text, "git+") || strings.Contains(text, "{ git = ")
}

// readTree notes what decides what a source tree needs. Of one without a
// pyproject.toml that is its setup.py.
func (r *PythonRequest) readTree(root fs.FS, dir string) error {
	if regular(root, path.Join(dir, "pyproject.toml")) {
		p, err := readPyproject(root, dir)
		if err != nil {
			return err
		}
		sum, err := p.digest()
		r.inputs = append(r.inputs, fmt.Sprintf("source %s %s", dir, sum))
		r.Git = r.Git || p.usesGit()
		if err != nil || !p.isDynamic() {
			return err
		}
	}
	for _, base := range []string{"setup.py", "setup.cfg"} {
		name := path.Join(dir, base)
		if !regular(root, name) {
			continue
		}
		data, err := readLimited(root, name, maxPyproject)
		if err != nil {
			return err
		}
		r.inputs = append(r.inputs, fmt.Sprintf("source %s %s", name, digest.FromBytes(data)))
	}
	return nil
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
func pythonWishes(requests []PythonRequest) []lock.PythonRequest {
	list := slices.Grow([]lock.PythonRequest(nil), len(requests)) // none stays nil
	for _, r := range requests {
		list = append(list, lock.PythonRequest{Set: r.Set, Lines: r.lines()})
	}
	return list
}

func (r *PythonRequest) lines() []string {
	list := slices.Concat(r.Files.Wishes(), r.inputs)
	for _, i := range r.Indexes {
		list = append(list, fmt.Sprintf("index %s %s: %s", i.Name, i.URL, strings.Join(sorted(i.Packages), ", ")))
	}
	for _, project := range slices.Sorted(maps.Keys(r.BuildRequires)) {
		list = append(list, fmt.Sprintf("build-requires %s: %s", project, strings.Join(sorted(r.BuildRequires[project]), ", ")))
	}
	words := func(key string, words []string) {
		for _, word := range words {
			list = append(list, key+" "+word)
		}
	}
	words("optional", r.Optional)
	words("override", r.Overrides)
	words("exclude", r.Excludes)
	words("extra", r.Extras)
	words("group", r.Groups)
	if r.IndexStrategy != "" {
		words("index-strategy", []string{r.IndexStrategy})
	}
	return sorted(list)
}
