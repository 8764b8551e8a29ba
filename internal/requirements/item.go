package requirements

import (
	"errors"
	"fmt"
	"strings"

	"lamina.build/internal/fault"
)

// item reads one requirement and keeps it.
func (r *reader) item(l line, text string, given []setting) {
	before := len(r.faults)
	hashes := r.hashes(l, given)
	req, err := r.requirement(l, text)
	if err == nil && l.constraint {
		err = checkConstraint(req)
	}
	if err == nil && req.Kind == Git && len(hashes) > 0 {
		err = fmt.Errorf("--hash can't stand behind a repository, whose commit is its hash")
	}
	r.fault(l, err)
	if len(r.faults) > before {
		return
	}
	req.Line += strings.Join(hashes, "")
	req.File, req.At = l.file, l.number
	r.keepItem(req, l.constraint)
}

func (r *reader) keepItem(req Requirement, constraint bool) {
	key := item{req.Line, constraint}
	if r.items[key] {
		return
	}
	r.items[key] = true
	list := &r.set.Requirements
	if constraint {
		list = &r.set.Constraints
	}
	*list = append(*list, req)
}

// checkConstraint refuses what pip does: a constraint asks for nothing by itself.
func checkConstraint(req Requirement) error {
	if req.Name == "" {
		return fault.WithHint(fmt.Errorf("constraint %q has no name", req.Line), `write "NAME @ URL"`)
	}
	if hasExtras(req.Line) {
		return fmt.Errorf("constraint %q has extras", req.Line)
	}
	return nil
}

// hasExtras looks for them where a canonical line has them.
func hasExtras(text string) bool {
	if strings.HasPrefix(text, "./") {
		file, _, _ := strings.Cut(text, " ; ")
		return strings.HasSuffix(file, "]")
	}
	p, err := (&scanner{text: text}).project()
	return err == nil && len(p.extras) > 0
}

// requirement reads what stands before the options of a line.
func (r *reader) requirement(l line, text string) (Requirement, error) {
	body, rest, _ := strings.Cut(text, ";")
	req, err := r.body(l, strings.TrimSpace(body))
	condition, wrong := marker(rest)
	if wrong != nil {
		wrong = fmt.Errorf("marker %s: %w", quote(strings.TrimSpace(rest)), wrong)
	}
	if err = errors.Join(err, wrong); err != nil {
		return Requirement{}, err
	}
	if condition != "" {
		req.Line += separator(req.Kind) + condition
	}
	return req, nil
}

// separator stands before a marker. Behind a URL only white space ends it.
func separator(k Kind) string {
	if k == Named {
		return "; "
	}
	return " ; "
}

// body reads a requirement without its marker.
func (r *reader) body(l line, text string) (Requirement, error) {
	switch {
	case hasScheme(text):
		return r.remote(l, project{}, text)
	case text == "":
		return Requirement{}, errors.New("a marker stands without a requirement")
	case strings.ContainsRune(`./\~`, rune(text[0])):
		return r.path(l, project{}, text)
	}
	s := &scanner{text: text}
	p, err := s.project()
	switch {
	case err == nil && s.take("@"):
		s.space()
		return r.direct(l, p, s.rest())
	case looksLocal(text):
		return r.path(l, project{}, text)
	case err != nil:
		return Requirement{}, fmt.Errorf("%s: %w", quote(text), err)
	}
	return named(p, s)
}

// direct reads what stands behind "NAME @".
func (r *reader) direct(l line, p project, text string) (Requirement, error) {
	if !hasScheme(text) {
		return Requirement{}, fault.WithHint(fmt.Errorf("%s behind the @ is not a URL", quote(text)),
			"the path of an archive is written ./PATH, without a name")
	}
	return r.remote(l, p, text)
}
