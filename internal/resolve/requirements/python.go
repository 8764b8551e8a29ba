package requirements

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"lamina.build/internal/resolve/reqfile"
	"lamina.build/internal/resolve/uv"
	"lamina.build/lock"
	"lamina.build/spec"
)

// Decided are the projects that the user decides, whatever others require; the tables of a
// uv project may, too.
type Decided struct {
	Excluded   []string // left out
	Overridden []string // in a version that the user chose
	Asked      []string // the direct requirements, with extras, "a[b]"; nil where unknown
}

// resolves reports whether there is anything to lock.
func resolves(p spec.Python) bool {
	return len(p.Requirements) > 0 || p.Lock != "" || p.Project != "" || len(p.BuildRequires) > 0 || len(p.Sources) > 0
}

// readPython reads the Python requirements of all variants, and returns which of them need
// a git repository. A variant that differs from production has its own set, "python@NAME".
func (w *Requirements) readPython(file *spec.File, specs []spec.Spec, root fs.FS, env func(string) string) (git map[string]bool, err error) {
	git = map[string]bool{}
	var shared spec.Python
	problems := make([]error, 0, len(specs))
	for i, s := range specs {
		p := s.Python
		p.Prune, p.Compile = nil, false // only builds use them
		set := lock.Set{Kind: lock.SetPython}
		switch {
		case i == 0:
			shared = p
		case reflect.DeepEqual(p, shared):
			git[s.Variant], w.Decided[s.Variant] = git[spec.Production], w.Decided[spec.Production]
			continue
		default:
			set.Variant = s.Variant
		}
		r := reader{root: root, request: request(set, s, file.Places(s.Variant)), projects: map[string]pyproject{}}
		problems = append(problems, r.read(p, env))
		git[s.Variant], w.Decided[s.Variant] = r.git, r.decided(p)
		// A variant without requirements needs an empty set, or it would get production's.
		if resolves(p) || i > 0 && resolves(shared) {
			w.Python = append(w.Python, r.request)
			w.Lock.Python = append(w.Lock.Python, lock.PythonRequest{Set: set, Lines: r.lines()})
		}
	}
	return git, errors.Join(problems...)
}

// request returns the request to uv for a spec, without the content of files.
func request(set lock.Set, s spec.Spec, places map[string]string) uv.Request {
	p := s.Python
	r := uv.Request{
		Set: set, Lock: p.Lock, Project: p.Project, Extras: p.Extras, Groups: p.Groups,
		Overrides: p.Overrides, Excludes: p.Excludes, IndexStrategy: p.IndexStrategy, BuildRequires: p.BuildRequires,
		Sources: map[string]string{}, Uses: uv.ProjectIndexes{Names: map[string]string{}}, Optional: p.Optional, Collisions: p.Collisions, Prune: p.Prune,
		Imports: s.Smoke.Imports, Trees: len(s.Git) > 0 || s.App.Env["PYTHONPATH"] != "", Places: places,
	}
	if path.Base(p.Lock) == uvLock {
		r.Lock, r.Project = "", path.Dir(p.Lock)
	}
	for _, dir := range p.Sources {
		r.Sources[p.SourceName(dir)] = dir
	}
	for _, x := range p.Indexes {
		r.Indexes = append(r.Indexes, uv.Index(x))
	}
	return r
}

// reader reads the files of one request.
type reader struct {
	root     fs.FS
	request  uv.Request
	projects map[string]pyproject // by directory
	top      string               // the directory of the project's workspace
	settings pyproject            // the table of its uv.toml, as that of a pyproject.toml
	inputs   []string             // lines for the files that determine the lock, with their digests
	git      bool                 // whether anything comes from a git repository
}

func (r *reader) read(p spec.Python, env func(string) string) (err error) {
	var problems []error
	switch {
	case r.request.Project != "":
		problems = append(problems, r.readProject(r.request.Project))
	case r.request.Lock != "":
		problems = append(problems, r.readPylock(r.request.Lock))
	}
	for _, dir := range p.Sources {
		problems = append(problems, r.readTree(dir))
	}
	r.request.Files, err = reqfile.Read(reqfile.Options{FS: r.root, Requirements: p.Requirements, Constraints: p.Constraints, Env: env})
	for _, w := range slices.Concat(r.request.Files.Requirements, r.request.Files.Constraints) {
		r.git = r.git || w.Kind == reqfile.Git
	}
	problems = append(problems, r.checkWords("overrides", "overrides", p.Overrides))
	for _, project := range slices.Sorted(maps.Keys(p.BuildRequires)) {
		problems = append(problems, r.checkWords(project, "build-requires "+project, p.BuildRequires[project]))
	}
	return errors.Join(append(problems, err)...)
}

// checkWords checks requirements in the spec itself. key names their list in messages, and
// at in places.
func (r *reader) checkWords(key, at string, list []string) error {
	var problems []error
	for _, text := range list {
		r.git = r.git || containsGit(text)
		if _, err := reqfile.Parse(text); err != nil {
			problems = append(problems, fmt.Errorf("%s: %s: %w", r.request.Places[at+" "+lock.NormalName(text)], key, err))
		}
	}
	return errors.Join(problems...)
}

// lines returns the request as a lock records it.
func (r *reader) lines() []string {
	q := r.request
	list := slices.Concat(q.Lines(), r.inputs)
	for _, i := range q.Indexes {
		list = append(list, fmt.Sprintf("index %s %s: %s", i.Name, i.URL, strings.Join(sorted(i.Packages), ", ")))
	}
	for project, needs := range q.BuildRequires {
		list = append(list, fmt.Sprintf("build-requires %s: %s", project, strings.Join(sorted(needs), ", ")))
	}
	words := map[string][]string{"optional": q.Optional, "override": q.Overrides, "exclude": q.Excludes, "extra": q.Extras, "group": q.Groups}
	if q.IndexStrategy != "" {
		words["index-strategy"] = []string{q.IndexStrategy}
	}
	for key, of := range words {
		for _, word := range of {
			list = append(list, key+" "+word)
		}
	}
	return sorted(list)
}

func (r *reader) decided(p spec.Python) Decided {
	project, settings := r.projects[r.top].Tool.UV, r.settings.Tool.UV
	return Decided{
		Asked:      r.asked(),
		Excluded:   named(slices.Concat(p.Excludes, texts(project["exclude-dependencies"]), texts(settings["exclude-dependencies"]))),
		Overridden: named(slices.Concat(p.Overrides, texts(project["override-dependencies"]), texts(settings["override-dependencies"]))),
	}
}

// asked returns the titles of the requirements, or nil where these are unknown: for
// projects, for other tools' locks, and for an archive whose address lacks a name.
func (r *reader) asked() []string {
	if r.request.Project != "" || r.request.Lock != "" {
		return nil
	}
	list := []string{}
	for _, w := range r.request.Files.Requirements {
		title := leadingTitle.FindString(w.Line)
		if w.Kind != reqfile.Named && !strings.Contains(w.Line, " @ ") {
			title = w.Name
		}
		if title == "" {
			return nil
		}
		list = append(list, title)
	}
	for _, line := range r.request.Overrides { // which may add extras
		list = append(list, leadingTitle.FindString(line))
	}
	return sorted(list)
}

// leadingTitle is a name with its extras.
var leadingTitle = regexp.MustCompile(`^[A-Za-z0-9][\w.-]*(\s*\[[^]]*\])?`)

var leadingName = regexp.MustCompile(`^[A-Za-z0-9][\w.-]*`)

// named returns the projects of requirements.
func named(lines []string) []string {
	names := make([]string, len(lines))
	for i, line := range lines {
		names[i] = lock.NormalName(leadingName.FindString(line))
	}
	return names
}

// containsGit reports whether a text has the address of a git repository.
func containsGit(text string) bool {
	return strings.Contains(text, "git+") || strings.Contains(text, "{ git = ")
}
