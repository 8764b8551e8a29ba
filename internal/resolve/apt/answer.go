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
)

// answer is what apt said to a question.
type answer struct {
	status string // exit status
	uris   string // the lines of --print-uris
	log    string // all that it printed
}

// packages finds what apt chose in the verified index. Apt read the same
// index: what differs from it is a fault of ours or an attack, never taken.
func (a *archive) packages(q question, ans answer) ([]*debian.Package, error) {
	if strings.TrimSpace(ans.status) != "0" {
		return nil, refusal(q, ans.log)
	}
	var found []*debian.Package
	var faults []error
	for line := range strings.Lines(ans.uris) {
		p, err := a.printed(strings.TrimSpace(line))
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: reading apt's answer %q: %w", q.set, strings.TrimSpace(line), err))
			continue
		}
		found = append(found, p)
	}
	return found, errors.Join(faults...)
}

var uriLine = regexp.MustCompile(`^'file:/repository/([^/]+)/([^']+)' ([^_ ]+)_\S+ (\d+) SHA256:([0-9a-f]{64})$`)

// printed reads a line as
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
	p, ok := a.index.Find(a.repositories()[number], m[3], path.Clean(file))
	if !ok {
		return nil, errors.New("the verified index has no such package")
	}
	if strconv.FormatInt(p.Size, 10) != m[4] || p.SHA256 != m[5] {
		return nil, errors.New("the verified index has another size or sha256")
	}
	return p, nil
}

// repositories lists those of the sources, each once. Its order names their
// folders.
func (a *archive) repositories() []string {
	var names []string
	for _, s := range a.sources {
		if !slices.Contains(names, s.Repository) {
			names = append(names, s.Repository)
		}
	}
	return names
}

// refusal repeats apt's own explanation, without the lines that say that it
// was reading.
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
		failure.New(failure.Usage, fmt.Errorf("%s: apt can not install %s together:\n%s",
			q.set, strings.Join(without(q.packages, []string{essential}), ", "), strings.Join(kept, "\n"))),
		"packages of different suites or repositories may not fit together: check [debian].suites and what each asks for",
	)
}
