package world

import (
	_ "embed" // the tables
	"fmt"
	"strconv"
	"strings"
)

var (
	//go:embed closure.txt
	closureText string
	//go:embed libraries.txt
	librariesText string
)

// dist is a distribution of closure.txt.
type dist struct {
	name, version string
	kind          string // the tag of a wheel, "sdist" or "debian"
	module        string // to import: "nvidia.cublas"
	megabytes     int64  // of the real wheel
	requires      []string
}

// entries returns the lines of a table; one that begins with a blank continues the
// previous one.
func entries(table string) []string {
	var list []string
	for line := range strings.Lines(table) {
		switch line = strings.TrimRight(line, "\n"); {
		case line == "" || line[0] == '#':
		case line[0] == '\t' || line[0] == ' ':
			list[len(list)-1] += line
		default:
			list = append(list, line)
		}
	}
	return list
}

// closure reads closure.txt.
func closure() ([]dist, error) {
	lines := entries(closureText)
	list := make([]dist, 0, len(lines))
	for _, line := range lines {
		d, err := parseDist(line)
		if err != nil {
			return nil, fmt.Errorf("closure.txt: %q: %w", line, err)
		}
		list = append(list, d)
	}
	return list, nil
}

func parseDist(line string) (dist, error) {
	head, requires, ok := strings.Cut(line, ":")
	words := strings.Fields(head)
	if !ok || len(words) < 3 {
		return dist{}, fmt.Errorf("want NAME VERSION KIND: REQUIREMENTS")
	}
	d := dist{name: words[0], version: words[1], kind: words[2], module: strings.ReplaceAll(words[0], "-", "_")}
	if d.kind != "sdist" && d.kind != "debian" && strings.Count(d.kind, "-") != 2 {
		return d, fmt.Errorf("%q is no kind", d.kind)
	}
	for _, word := range words[3:] {
		module, isModule := strings.CutPrefix(word, "=")
		size, err := strconv.ParseInt(word, 10, 64)
		switch {
		case isModule:
			d.module = module
		case err != nil:
			return d, fmt.Errorf("%q is neither =MODULE nor megabytes", word)
		default:
			d.megabytes = size
		}
	}
	for r := range strings.SplitSeq(requires, "|") {
		if r = strings.TrimSpace(r); r != "" {
			d.requires = append(d.requires, r)
		}
	}
	return d, nil
}

// library is an entry of libraries.txt.
type library struct {
	project, version string // of all versions if empty
	file             string
	needed           []string
	symbols          []string
}

func libraries() []library {
	lines := entries(librariesText)
	list := make([]library, 0, len(lines))
	for _, line := range lines {
		head, needed, _ := strings.Cut(line, ":")
		project, file, _ := strings.Cut(head, " ")
		l := library{file: strings.TrimSpace(file), needed: strings.Fields(needed)}
		l.project, l.version, _ = strings.Cut(project, "==")
		list = append(list, l)
	}
	return list
}

// of reports whether a library belongs to a distribution. A version that is not in the
// table is made like the newest one there.
func (l library) of(d dist, like string) bool {
	return l.project == d.name && (l.version == "" || l.version == d.version || l.version == like)
}
