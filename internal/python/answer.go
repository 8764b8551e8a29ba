package python

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"lamina.build/internal/fault"
	"lamina.build/lock"
)

// answer is what the scripts say to a question.
type answer struct {
	Distributions []distribution            `json:"distributions"`
	Builds        map[string][]distribution `json:"builds"` // what each project is built with
	Omitted       []struct {
		Requirement string `json:"requirement"`
		Reason      string `json:"reason"`
	} `json:"omitted"`
	Fault *struct {
		Kind    string   `json:"kind"`
		Message string   `json:"message"`
		Hint    string   `json:"hint"`
		Host    string   `json:"host"`  // that asks for a login
		Lines   []string `json:"lines"` // of the question, that it is about
	} `json:"fault"`
}

type distribution struct {
	Name     string `json:"name"`
	Version  string `json:"version"`
	File     string `json:"file"`
	URL      string `json:"url"`
	Size     int64  `json:"size"`
	SHA256   string `json:"sha256"`
	Unpacked int64  `json:"unpacked"`
}

func (d distribution) entry(sets ...string) lock.Distribution {
	return lock.Distribution{
		Name: d.Name, Version: d.Version, File: d.File, URL: d.URL,
		Size: d.Size, SHA256: d.SHA256, Unpacked: d.Unpacked, For: sets,
	}
}

// read turns the text of an answer into a value, or into the error it is.
func (q question) read(set string, data []byte) (answer, error) {
	var a answer
	if err := json.Unmarshal(data, &a); err != nil {
		return a, fmt.Errorf("%s: reading the answer of pip: %w", set, err)
	}
	if a.Fault == nil {
		return a, a.enemies(set)
	}
	kinds := map[string]fault.Kind{"usage": fault.Usage, "transient": fault.Transient}
	err := fmt.Errorf("%s%s: %s", q.at(a.Fault.Lines), set, strings.TrimSpace(a.Fault.Message))
	if kind, ok := kinds[a.Fault.Kind]; ok {
		err = fault.New(kind, err)
	}
	if a.Fault.Hint == "" {
		return a, err
	}
	return a, fault.WithHint(err, a.Fault.Hint)
}

// enemies refuses projects that overwrite each other's files.
func (a answer) enemies(set string) error {
	names := make([]string, len(a.Distributions))
	for i, d := range a.Distributions {
		names[i] = d.Name
	}
	enemies := Enemies(names)
	faults := make([]error, 0, len(enemies))
	for _, err := range enemies {
		faults = append(faults, fmt.Errorf("%s: %w", set, err))
	}
	return fault.New(fault.Usage, errors.Join(faults...))
}

// fill puts the answers of all requests into a lock, every file once.
func fill(l *lock.Lock, requests []Request, answers []answer) {
	sets := map[distribution][]string{}
	for i, a := range answers {
		_, variant, own := strings.Cut(requests[i].Set, "@")
		if own {
			variant = "@" + variant
		}
		for _, d := range a.Distributions {
			sets[d] = append(sets[d], requests[i].Set)
		}
		for project, list := range a.Builds {
			for _, d := range list {
				sets[d] = append(sets[d], lock.BuildSet(project)+variant)
			}
		}
		for _, o := range a.Omitted {
			l.Omitted = append(l.Omitted, lock.Omission{Set: requests[i].Set, Requirement: o.Requirement, Reason: o.Reason})
		}
	}
	for d, in := range sets {
		l.Distributions = append(l.Distributions, d.entry(in...))
	}
	l.Sort()
}
