package world

import (
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"
)

// pinned finds NAME==VERSION in requirement files, and in the strings of a spec.
var pinned = regexp.MustCompile(`(?m)(?:^|")([A-Za-z0-9][\w.-]*)(?:\[[^\]]*\])?==([0-9][\w.!+]*)`)

// pins returns the versions that an example pins, by project.
func pins(texts map[string]string) map[string][]string {
	found := map[string][]string{}
	for _, text := range texts {
		for _, m := range pinned.FindAllStringSubmatch(text, -1) {
			name := normal(m[1])
			if !slices.Contains(found[name], m[2]) {
				found[name] = append(found[name], m[2])
			}
		}
	}
	for _, list := range found {
		slices.Sort(list)
	}
	return found
}

// NotNeeded returns the projects that Wan2.2's own inference needs, and its preprocessing and
// the worker don't: diffusers has the model.
func NotNeeded() []string {
	return []string{"dashscope", "flash-attn", "librosa", "soundfile", "torchaudio", "wan", "wan22"}
}

func normal(name string) string {
	return strings.ToLower(strings.NewReplacer("_", "-", ".", "-").Replace(name))
}

// texts returns the spec of an example and its requirement files.
func texts(example fs.FS) (map[string]string, error) {
	names, err := fs.Glob(example, "requirements*.txt")
	if err != nil {
		return nil, err
	}
	all := map[string]string{}
	for _, name := range append(names, specName) {
		data, err := fs.ReadFile(example, name)
		if err != nil {
			return nil, fmt.Errorf("reading the example: %w", err)
		}
		all[name] = string(data)
	}
	return all, nil
}

// offered returns the distributions of the indexes: those of the table, in the versions
// that the example pins if it pins any.
func offered(table []dist, pins map[string][]string) []offer {
	var list []offer
	known := map[string]bool{}
	for _, d := range table {
		known[d.name] = true
		if pins[d.name] == nil || slices.Contains(pins[d.name], d.version) {
			list = append(list, offer{dist: d, like: d.version})
		}
	}
	exact := slices.Clone(list)
	for _, d := range newest(table) {
		for _, version := range pins[d.name] {
			if !slices.ContainsFunc(exact, func(o offer) bool { return o.name == d.name && o.version == version }) {
				list = append(list, offer{dist: d.as(version, pins), like: d.version})
			}
		}
	}
	for name, versions := range pins {
		for _, version := range versions {
			if !known[name] {
				module := strings.ReplaceAll(name, "-", "_")
				list = append(list, offer{dist: dist{name: name, version: version, kind: "py3-none-any", module: module}})
			}
		}
	}
	slices.SortFunc(list, func(a, b offer) int { return strings.Compare(a.name+" "+a.version, b.name+" "+b.version) })
	return list
}

// offer is a distribution and the version in the tables that is its pattern.
type offer struct {
	dist

	like string
}

// newest returns the last entry of each project.
func newest(table []dist) []dist {
	var list []dist
	for _, d := range table {
		list = slices.DeleteFunc(list, func(old dist) bool { return old.name == d.name })
		list = append(list, d)
	}
	return list
}

// as returns a distribution in a version that the table doesn't have. An exact
// requirement of a project that the user pins, too, becomes the user's choice.
func (d dist) as(version string, pins map[string][]string) dist {
	d.version = version
	d.requires = slices.Clone(d.requires)
	for i, r := range d.requires {
		if name, _, exact := strings.Cut(r, "=="); exact && pins[normal(name)] != nil && !strings.Contains(name, ";") {
			d.requires[i] = name
		}
	}
	return d
}
