package uv

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"lamina.build/internal/resolve/reqfile"
)

// question is a request in the terms of scripts/resolve.py, which takes null for an empty list.
type question struct {
	Requirements  []requirement       `json:"requirements"`
	Constraints   []string            `json:"constraints"`
	Overrides     []string            `json:"overrides"`
	Excludes      []string            `json:"excludes"`
	Options       []string            `json:"options"` // of every resolution
	Formats       []string            `json:"formats"` // of the image's alone
	Indexes       []string            `json:"indexes"`
	Export        []string            `json:"export"` // like Indexes, if uv reads a project
	Pylock        string              `json:"pylock"`
	Dir           string              `json:"directory"`   // of the project or the lock
	Locked        bool                `json:"locked"`      // there is a uv.lock
	Dirs          []string            `json:"directories"` // of source trees
	Extras        []string            `json:"extras"`
	Groups        []string            `json:"groups"`
	Hashes        map[string][]string `json:"hashes"` // of --hash options, by project
	Bound         []string            `json:"bound"`  // projects that are bound to an index
	BuildRequires map[string][]string `json:"build_requires"`
	Trees         map[string]string   `json:"trees"`
	Optional      []string            `json:"optional"`
	Refresh       bool                `json:"refresh"` // ask the indexes again
	Known         []string            `json:"known"`
	Before        map[string]string   `json:"before"`
	Image         map[string]string   `json:"image"`
	Builder       map[string]string   `json:"builder"`

	places []place
}

type requirement struct {
	Name string `json:"name"`
	Line string `json:"line"`
}

// place is where a project is required.
type place struct {
	name string
	at   string // "requirements.txt:3"
}

// Paths of the inputs in the exec.
const (
	projectPath = "/.lamina/project"
	treesPath   = "/.lamina/trees"
)

// ask turns a request into a question. where has the indexes of unbound projects, before the
// lock to be replaced.
func (r Request) ask(where Indexes, there inventory, before versions) question {
	q := question{
		Overrides: r.Overrides, Excludes: r.Excludes, Extras: r.Extras, Groups: r.Groups,
		BuildRequires: maps.Collect(maps.All(r.BuildRequires)), Optional: r.Optional, Trees: map[string]string{}, Hashes: map[string][]string{},
		Image: there.Image, Builder: there.Builder,
		Refresh: before.asksAnew(r.Set), Known: before.known(r, where), Before: before.texts(r),
	}
	q.Options, q.Formats = r.options()
	q.Indexes, q.Export = r.indexArgs(where), r.exportArgs(where)
	for name := range r.Sources {
		q.Trees[name] = path.Join(treesPath, name)
	}
	q.Dirs = slices.Sorted(maps.Values(r.Sources))
	for _, i := range r.Indexes {
		q.Bound = append(q.Bound, i.Packages...)
	}
	switch {
	case r.Project != "":
		q.Pylock, q.Dir, q.Locked = "uv.lock", r.Project, r.Uses.Locked
	case r.Lock != "":
		q.Pylock, q.Dir = r.Lock, path.Dir(r.Lock)
	}
	for _, w := range slices.Concat(r.Files.Requirements, r.Files.Constraints) {
		if w.Hashes != nil {
			q.Hashes[w.Name] = append(q.Hashes[w.Name], w.Hashes...)
		}
	}
	for _, w := range r.Files.Requirements {
		q.Requirements = append(q.Requirements, requirement{w.Name, line(w)})
		q.places = append(q.places, place{w.Name, fmt.Sprintf("%s:%d", w.File, w.At)})
	}
	for _, w := range r.Files.Constraints {
		q.Constraints = append(q.Constraints, line(w))
		q.places = append(q.places, place{w.Name, fmt.Sprintf("%s:%d", w.File, w.At)})
	}
	for _, list := range []struct {
		key, kind string // kind stands in front of the name in problems
		words     []string
	}{{"overrides", "", r.Overrides}, {"excludes", "", r.Excludes}, {"extras", "extra ", r.Extras}, {"groups", "group ", r.Groups}} {
		for _, word := range list.words {
			if at := r.Places[list.key+" "+normal(word)]; at != "" {
				q.places = append(q.places, place{list.kind + normal(projectWord.FindString(word)), at})
			}
		}
	}
	return q
}

// line returns a requirement as uv sees it: files next to the spec have other paths in the
// exec.
func line(r reqfile.Requirement) string {
	if r.Kind != reqfile.Path {
		return r.Line
	}
	if below, ok := strings.CutPrefix(r.Line, "./"); ok {
		return projectPath + "/" + below
	}
	return strings.Replace(r.Line, " @ ./", " @ "+projectPath+"/", 1)
}

// overHTTPS rewrites ssh addresses in a question.
func (q *question) overHTTPS(logins Logins) error {
	var problems []error
	rewrite := func(text *string, at string) {
		var err error
		if *text, err = logins.overHTTPS(*text); err != nil {
			problems = append(problems, fmt.Errorf("%s%w", at, err))
		}
	}
	for i := range q.Requirements {
		rewrite(&q.Requirements[i].Line, q.places[i].at+": ")
	}
	q.Constraints, q.Overrides = slices.Clone(q.Constraints), slices.Clone(q.Overrides)
	for i := range q.Constraints {
		rewrite(&q.Constraints[i], q.places[len(q.Requirements)+i].at+": ")
	}
	for i := range q.Overrides {
		rewrite(&q.Overrides[i], q.at(&answerProblem{Project: projectWord.FindString(q.Overrides[i])})+"[python] overrides: ")
	}
	return errors.Join(problems...)
}
