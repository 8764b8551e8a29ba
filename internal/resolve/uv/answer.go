package uv

import (
	"encoding/json"
	"fmt"
	"slices"

	"lamina.build/internal/resolve/license"
	"lamina.build/lock"
)

// answer is the answer of scripts/resolve.py to a question.
type answer struct {
	Distributions []*distribution            `json:"distributions"`
	Builds        map[string][]*distribution `json:"builds"` // build requirements by project
	Omitted       []omission                 `json:"omitted"`
	Notes         []string                   `json:"notes"` // uv's warnings
	Problem       *answerProblem             `json:"problem"`
}

// omission is an optional requirement that was left out.
type omission struct {
	Requirement string `json:"requirement"`
	Reason      string `json:"reason"`
}

// answerProblem is a problem with a question, in the words of uv or a backend.
type answerProblem struct {
	Message string `json:"message"`
	Project string `json:"project"` // that it is about; "" if the message names it
	Module  string `json:"module"`  // that a build imports without declaring it
	Offline bool   `json:"offline"` // an index is needed, but there was no door
}

// distribution is a file or a commit that uv chose.
type distribution struct {
	Name    string            `json:"name"` // normalized
	Version string            `json:"version"`
	Kind    kind              `json:"kind"`
	File    string            `json:"file"`
	URL     string            `json:"url"`
	Below   string            `json:"below"`  // directory of the project in an archive
	Size    int64             `json:"size"`   // 0 if unknown
	Hashes  map[string]string `json:"hashes"` // algorithm → hexadecimal
	Index   string            `json:"index"`

	// Metadata of the source of an sdist or a git tree: its PKG-INFO, or the same fields from
	// its pyproject.toml.
	Metadata string `json:"metadata"`

	page    lock.Page
	wheel   *wheel   // its content; nil if it must be built
	notes   []string // oddities
	unknown bool     // no index confirms its sha256
}

type kind string

const (
	kindWheel kind = "wheel"
	kindSdist kind = "sdist"
	kindGit   kind = "git"
)

func readAnswer(text []byte) (a answer, err error) {
	if err = json.Unmarshal(text, &a); err != nil {
		return a, fmt.Errorf("reading the answer of uv: %w", err)
	}
	return a, nil
}

// all returns the distributions of the image and of builds.
func (a answer) all() []*distribution {
	list := append([]*distribution(nil), a.Distributions...)
	for _, set := range a.Builds {
		list = append(list, set...)
	}
	return list
}

func (d *distribution) title() string { return d.Name + " " + d.Version }

// files returns the files that are known to be installed.
func (d *distribution) files() []member {
	if d.wheel == nil {
		return nil
	}
	return d.wheel.Files
}

func (d *distribution) entry() lock.Distribution {
	e := lock.Distribution{
		Name: d.Name, Version: d.Version, File: d.File, URL: d.URL,
		Size: d.Size, SHA256: d.Hashes["sha256"], Index: d.Index,
	}
	if d.Below != "" {
		e.URL += "#subdirectory=" + d.Below
	}
	e.License = license.OfMetadata(d.Metadata)
	if d.wheel != nil {
		e.Unpacked, e.Top, e.Metadata, e.License = d.wheel.Unpacked, d.wheel.Top, d.wheel.Metadata, d.wheel.License
	}
	return e
}

// projects returns the names of the image's distributions.
func (a answer) projects() []string {
	list := make([]string, len(a.Distributions))
	for i, d := range a.Distributions {
		list[i] = d.Name
	}
	return list
}

// normal returns the canonical spelling of a project's name.
func normal(name string) string { return lock.NormalName(name) }

// fill puts the answers of all requests into a lock, every file once.
func fill(l *lock.Lock, o Options, answers []answer) {
	entries := map[string]lock.Distribution{}
	add := func(e lock.Distribution, set lock.Set) {
		key := e.Name + " " + e.Version + " " + e.URL
		if known, ok := entries[key]; ok {
			e = known
		} else {
			e.For = nil
		}
		if !slices.Contains(e.For, set) {
			e.For = append(e.For, set)
		}
		entries[key] = e
	}
	before := versions{o.Before, Upgrade{}}
	for i, a := range answers {
		r := o.Requests[i]
		build := func(project string) lock.Set {
			return lock.Set{Kind: lock.SetBuild, Project: project, Variant: r.Set.Variant}
		}
		known := before.known(r, o.Indexes)
		for _, d := range a.all() {
			if d.page.Index != "" && !slices.Contains(l.Pages, d.page) {
				l.Pages = append(l.Pages, d.page)
			}
		}
		for _, d := range a.Distributions {
			e := d.entry()
			if d.Kind != kindWheel && d.Metadata == "" { // it stayed, and was not read again
				e.License = before.license(e)
			}
			add(e, r.Set)
			set := build(d.Name)
			if _, resolved := a.Builds[d.Name]; resolved || d.Kind == kindWheel || !slices.Contains(known, id(d.entry())) {
				continue
			}
			for _, e := range before.set(set) {
				add(e, set)
				if page, ok := o.Before.Page(e.Index, e.Name); ok && !slices.Contains(l.Pages, page) {
					l.Pages = append(l.Pages, page)
				}
			}
		}
		for project, list := range a.Builds {
			for _, d := range list {
				add(d.entry(), build(project))
			}
		}
		for _, omitted := range a.Omitted {
			l.Omitted = append(l.Omitted, lock.Omission{Set: r.Set, Requirement: omitted.Requirement, Reason: omitted.Reason})
		}
	}
	for _, e := range entries {
		l.Distributions = append(l.Distributions, e)
	}
	if len(l.Distributions) > 0 {
		l.UV = o.uv
	}
	l.Sort()
}
