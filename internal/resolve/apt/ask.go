package apt

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"lamina.build/internal/debian"
	"lamina.build/internal/failure"
	"lamina.build/lock"
)

// question is a question to apt about one set.
type question struct {
	set      lock.Set
	kind     kind
	base     int // index of the question that an addition extends
	packages []string
}

// kind is how the packages of a set are found. The question's file name begins with it.
type kind string

const (
	download kind = "download" // the named packages alone
	install  kind = "install"  // with all their dependencies
	addition kind = "add"      // those that another set lacks
)

// questions turns the requests into questions, in the same order. Every installed set
// begins with the requests of the base, since it includes them.
func questions(requests []lock.Request) ([]question, error) {
	list := make([]question, len(requests))
	base := baseOf(requests)
	for i, r := range requests {
		q := question{set: r.Set, kind: install, packages: r.Packages}
		switch r.Set.Kind {
		case lock.SetBootstrap:
			q.kind = download
		case lock.SetExtra:
			q.kind = addition
			q.base = runtimeOf(requests, r.Set.Variant)
			if q.base < 0 {
				return nil, failure.New(failure.Usage, fmt.Errorf("set %q extends a runtime that is not requested", r.Set))
			}
		default:
			q.packages = slices.Concat(base, without(r.Packages, base))
		}
		list[i] = q
	}
	return list, nil
}

// runtimeOf returns the index of the runtime that a variant is built on.
func runtimeOf(requests []lock.Request, variant string) int {
	for _, set := range []lock.Set{{Kind: lock.SetRuntime, Variant: variant}, {Kind: lock.SetRuntime}} {
		if i := slices.IndexFunc(requests, func(r lock.Request) bool { return r.Set == set }); i >= 0 {
			return i
		}
	}
	return -1
}

// baseOf returns the packages of the base, always with the essential ones.
func baseOf(requests []lock.Request) []string {
	for _, r := range requests {
		if r.Set.Kind == lock.SetBase {
			return slices.Concat([]string{essential}, without(r.Packages, []string{essential}))
		}
	}
	return []string{essential}
}

func without(list, items []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return slices.Contains(items, s) })
}

// name names the files of a question. The names of sets have characters that are special
// to a shell.
func name(i int) string { return fmt.Sprintf("%03d", i) }

// files returns the questions as the script reads them.
func files(list []question) map[string]string {
	out := map[string]string{}
	for i, q := range list {
		lines := q.packages
		if q.kind == addition {
			lines = append([]string{name(q.base)}, lines...)
		}
		out["/"+string(q.kind)+"-"+name(i)] = strings.Join(lines, "\n") + "\n"
	}
	return out
}

// answer is apt's answer to a question.
type answer struct {
	status string // exit status
	uris   string // the lines of --print-uris
	log    string // its whole output
}

// packages finds apt's choice in the verified index. Apt read the same index: a difference
// is a bug or an attack, and rejected.
func (a *archive) packages(q question, ans answer) ([]*debian.Package, error) {
	if strings.TrimSpace(ans.status) != "0" {
		return nil, refusal(q, ans.log)
	}
	var found []*debian.Package
	var problems []error
	for line := range strings.Lines(ans.uris) {
		p, err := a.printed(strings.TrimSpace(line))
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: reading apt's answer %q: %w", q.set, strings.TrimSpace(line), err))
			continue
		}
		if err = p.Check(); err != nil {
			problems = append(problems, failure.New(failure.Usage, fmt.Errorf("%s: package %s of repository %q: %w", q.set, p, p.Release.Repository, err)))
			continue
		}
		found = append(found, p)
	}
	return found, errors.Join(problems...)
}

// The file name is useless if the path has no extension, and SHA256 is missing if the index
// has none.
var uriLine = regexp.MustCompile(`^'file:/repository/([^/]+)/([^']+)' \S+ (\d+)(?: SHA256:([0-9a-f]{64}))?$`)

// printed parses a line such as
//
//	'file:/repository/0/pool/main/a/adduser/adduser_3.134_all.deb' adduser_3.134_all.deb 116064 SHA256:…
func (a *archive) printed(line string) (*debian.Package, error) {
	m := uriLine.FindStringSubmatch(line)
	if m == nil {
		return nil, errors.New("not a line of --print-uris")
	}
	number, err := strconv.Atoi(m[1])
	if err != nil || number >= len(a.repositories()) {
		return nil, errors.New("no such repository")
	}
	file, err := url.PathUnescape(m[2])
	if err != nil {
		return nil, err
	}
	found := a.part.At(a.repositories()[number], path.Clean(file))
	if len(found) == 0 {
		return nil, errors.New("the verified index has no such package")
	}
	for _, p := range found {
		if p.Check() != nil || strconv.FormatInt(p.Size, 10) == m[3] && p.SHA256 == m[4] {
			return p, nil
		}
	}
	return nil, errors.New("the verified index has a different size or sha256")
}

// repositories lists the repositories of the sources, each once. Their directories are
// numbered in this order.
func (a *archive) repositories() []string {
	var names []string
	for _, s := range a.sources {
		if !slices.Contains(names, s.Repository) {
			names = append(names, s.Repository)
		}
	}
	return names
}

// refusal repeats apt's own explanation, without its progress lines.
func refusal(q question, log string) error {
	var kept []string
	for line := range strings.Lines(log) {
		line = strings.TrimRight(line, " \n")
		if line == "" || strings.HasPrefix(line, "'") || strings.HasSuffix(line, "...") || strings.HasSuffix(line, "... Done") {
			continue
		}
		kept = append(kept, "  "+line)
	}
	return failure.WithHint(
		failure.New(failure.Usage, fmt.Errorf("%s: apt can't install %s together:\n%s",
			q.set, strings.Join(without(q.packages, []string{essential}), ", "), strings.Join(kept, "\n"))),
		"packages from different suites or repositories may conflict; check [debian].suites and the requested packages",
	)
}
