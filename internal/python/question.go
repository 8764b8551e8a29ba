package python

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"lamina.build/internal/fault"
	"lamina.build/internal/requirements"
)

// DefaultIndex is where a project comes from that no index is named for.
const DefaultIndex = "https://pypi.org/simple"

// Request is one set of wishes.
type Request struct {
	Set           string // of the lock: "python", "python@blackwell"
	Files         requirements.Set
	Pylock        []byte // the content of a pylock.toml, in place of Files
	Indexes       []Index
	BuildRequires map[string][]string // by normalised project, or by the name of a source tree
	Sources       []string            // names of source trees, of those that BuildRequires may name
	Optional      []string            // normalised projects that may be left out
	Collisions    []string            // globs of paths that two wheels may both hold
	Prune         []string            // globs of paths that no wheel brings into the image
}

// Index is a package index that serves some projects, and alone may do so.
type Index struct {
	Name     string   `json:"name"`
	URL      string   `json:"url"`
	Packages []string `json:"packages"` // normalised; empty for one that serves all others
}

// question is a request in the terms of the scripts.
type question struct {
	Requirements  []wish              `json:"requirements"`
	Constraints   []string            `json:"constraints"`
	Options       []string            `json:"options"`
	Indexes       []Index             `json:"indexes"`
	Links         []string            `json:"links"`
	Pylock        string              `json:"pylock"`
	BuildRequires map[string][]string `json:"build_requires"`
	Sources       map[string][]string `json:"sources"`
	Optional      []string            `json:"optional"`
	Collisions    []string            `json:"collisions"`
	Prune         []string            `json:"prune"`
	Git           []tree              `json:"git"`

	places map[string]string // file:line of each of the lines
}

type wish struct {
	Name string `json:"name"`
	Line string `json:"line"`
}

// tree is the tree of a git commit, as the exec sees it.
type tree struct {
	Name         string `json:"name"`
	URL          string `json:"url"` // as in the lock
	Path         string `json:"path"`
	Subdirectory string `json:"subdirectory"`

	remote, commit string
}

var (
	fullCommit = regexp.MustCompile(`^[0-9a-f]{40}$`)
	repository = regexp.MustCompile(`git\+\S*`)
)

// Where the exec finds what it is given.
const (
	questionsPath = "/.lamina/questions"
	projectPath   = "/.lamina/project"
	gitPath       = "/.lamina/git"
	treesPath     = "/tmp/trees" // where scripts/resolve.py copies the git trees to
)

// ask words a request. own is the index of everything that has no other.
func (r Request) ask(own string) (question, error) {
	q := question{
		Options: r.Files.Options, Indexes: r.indexes(own), Links: links(r.Files.FindLinks),
		BuildRequires: map[string][]string{}, Sources: map[string][]string{},
		Optional: r.Optional, Collisions: r.Collisions, Prune: r.Prune, places: map[string]string{},
	}
	for name, requires := range r.BuildRequires {
		if slices.Contains(r.Sources, name) {
			q.Sources[name] = requires
		} else {
			q.BuildRequires[name] = requires
		}
	}
	if r.Pylock != nil {
		q.Pylock = pylockName
		var err error
		q.Git, err = pylockTrees(r.Pylock)
		return q, err
	}
	if err := checkGit(slices.Concat(r.Files.Requirements, r.Files.Constraints)); err != nil {
		return q, err
	}
	for _, w := range r.Files.Requirements {
		q.Requirements = append(q.Requirements, wish{w.Name, q.placed(w)})
	}
	for _, w := range r.Files.Constraints {
		q.Constraints = append(q.Constraints, q.placed(w))
	}
	return q, nil
}

// placed words a requirement and notes where it stands. A constraint in the
// words of a requirement asks for nothing by itself.
func (q *question) placed(r requirements.Requirement) string {
	line := q.line(r)
	if q.places[line] == "" {
		q.places[line] = fmt.Sprintf("%s:%d", r.File, r.At)
	}
	return line
}

// checkGit refuses the repositories that pip can't be given the tree of.
func checkGit(list []requirements.Requirement) error {
	var faults []error
	for _, r := range list {
		at := func(says string) error {
			return &requirements.Error{File: r.File, Line: r.At, Err: fmt.Errorf("git+%s %s", r.URL, says)}
		}
		switch {
		case r.Kind != requirements.Git:
		case strings.HasPrefix(r.URL, "ssh:"):
			faults = append(faults, at("can't be used: git over ssh needs a key, write git+https://"))
		case !fullCommit.MatchString(r.Ref):
			faults = append(faults, at("is not pinned to a commit; write @<40 hexadecimal digits>"))
		case r.Name == "":
			faults = append(faults, at("has no name: write NAME @ before it"))
		}
	}
	return fault.New(fault.Usage, errors.Join(faults...))
}

// at names the places of some lines, to stand before a fault of theirs.
func (q question) at(lines []string) string {
	var places []string
	for _, line := range lines {
		if place := q.places[line]; place != "" && !slices.Contains(places, place) {
			places = append(places, place)
		}
	}
	if places == nil {
		return ""
	}
	return strings.Join(places, ", ") + ": "
}

// line words a requirement. pip sees a git tree where the scripts put it.
func (q *question) line(r requirements.Requirement) string {
	switch r.Kind {
	case requirements.Git:
		t := q.tree(r)
		return repository.ReplaceAllLiteralString(r.Line, "file://"+t.source())
	case requirements.Path:
		if below, ok := strings.CutPrefix(r.Wish(), "./"); ok {
			return projectPath + "/" + below
		}
		return strings.Replace(r.Wish(), " @ ./", " @ file://"+projectPath+"/", 1)
	}
	return r.Wish()
}

// tree notes the tree of a requirement, one that several lines name once.
func (q *question) tree(r requirements.Requirement) tree {
	t := newTree(r.Name, r.URL, r.Ref, r.Subdirectory, len(q.Git))
	i := slices.IndexFunc(q.Git, func(known tree) bool { return known.Name == t.Name && known.URL == t.URL })
	if i >= 0 {
		return q.Git[i]
	}
	q.Git = append(q.Git, t)
	return t
}

func newTree(name, remote, commit, subdirectory string, number int) tree {
	url := "git+" + remote + "@" + commit
	if subdirectory != "" {
		url += "#subdirectory=" + subdirectory
	}
	return tree{
		Name: name, URL: url, Path: fmt.Sprintf("%s/%d", gitPath, number), Subdirectory: subdirectory,
		remote: remote, commit: commit,
	}
}

// source is where pip finds the project of a tree.
func (t tree) source() string {
	return path.Join(treesPath, path.Base(t.Path), t.Name, t.Subdirectory)
}

// indexes lists the one of everything first: pip prefers none, but people
// read the address of the first in its messages.
func (r Request) indexes(own string) []Index {
	var list []Index
	if !r.Files.NoIndex {
		if r.Files.IndexURL != "" {
			own = r.Files.IndexURL
		}
		list = append(list, Index{Name: own, URL: own, Packages: []string{}})
		for _, url := range r.Files.ExtraIndexURLs {
			list = append(list, Index{Name: url, URL: url, Packages: []string{}})
		}
	}
	return append(list, r.Indexes...)
}

// links puts the folders of the project where the exec sees them.
func links(list []string) []string {
	out := make([]string, len(list))
	for i, l := range list {
		if out[i] = l; !strings.Contains(l, "://") {
			out[i] = projectPath + "/" + l
		}
	}
	return out
}

// text is q as the scripts read it. Lists that are nil would be null to them.
func (q question) text() (string, error) {
	for _, list := range []*[]string{&q.Constraints, &q.Options, &q.Links, &q.Optional, &q.Collisions, &q.Prune} {
		*list = append([]string{}, *list...)
	}
	q.Requirements = append([]wish{}, q.Requirements...)
	q.Git = append([]tree{}, q.Git...)
	q.Indexes = append([]Index{}, q.Indexes...)
	for i := range q.Indexes {
		q.Indexes[i].Packages = append([]string{}, q.Indexes[i].Packages...)
	}
	data, err := json.Marshal(q)
	return string(data), err
}
