package requirements

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// exact is a version of https://packaging.python.org/en/latest/specifications/version-specifiers/
// (PEP 440): its release, and its local label.
var exact = regexp.MustCompile(`(?i)^v?(?:[0-9]+!)?([0-9]+(?:\.[0-9]+)*)` +
	`(?:[-_.]?(?:alpha|beta|preview|pre|a|b|c|rc)[-_.]?[0-9]*)?` +
	`(?:-[0-9]+|[-_.]?(?:post|rev|r)[-_.]?[0-9]*)?` +
	`(?:[-_.]?dev[-_.]?[0-9]*)?` +
	`(\+[a-z0-9]+(?:[-_.][a-z0-9]+)*)?$`)

// release is what may stand before .*
var release = regexp.MustCompile(`^[vV]?(?:[0-9]+!)?[0-9.]+$`)

// named reads the versions behind a project's name.
func named(p project, s *scanner) (Requirement, error) {
	open := s.take("(")
	list, err := s.versions()
	if err == nil && open && !s.take(")") {
		err = errors.New("a ( is not closed")
	}
	if s.space(); err == nil && !s.done() {
		err = fmt.Errorf("want a , or ; before %s", quote(s.rest()))
	}
	if err != nil {
		return Requirement{}, fmt.Errorf("%s: %w", quote(s.text), err)
	}
	return Requirement{Line: p.String() + strings.Join(list, ","), Name: Normal(p.name), Kind: Named}, nil
}

// versions reads specifiers with commas between them. As in pip, one more at
// the end is no fault.
func (s *scanner) versions() ([]string, error) {
	var list []string
	for s.space(); !s.done() && s.text[s.at] != ')'; s.space() {
		one, err := s.version()
		if err != nil {
			return nil, err
		}
		list = append(list, one)
		if s.space(); !s.take(",") {
			break
		}
	}
	return list, nil
}

// version reads an operator and the version behind it.
func (s *scanner) version() (string, error) {
	operator, err := s.operator()
	if err != nil {
		return "", err
	}
	s.space()
	version := s.upTo(" \t,;()")
	if operator == "===" {
		if version == "" || strings.ContainsFunc(version, func(c rune) bool { return c <= ' ' || c > '~' }) {
			return "", fmt.Errorf("no plain text stands behind ===")
		}
		return operator + version, nil
	}
	if err := checkVersion(operator, version); err != nil {
		return "", err
	}
	return operator + version, nil
}

// operator reads one, and knows what is often written in its place.
func (s *scanner) operator() (string, error) {
	for _, known := range operators() {
		if s.take(known) {
			return known, nil
		}
	}
	for wrong, meant := range map[string]string{"=>": ">=", "=<": "<=", "=!": "!=", "=~": "~=", "!": "!=", "~": "~=", "^": "~="} {
		if strings.HasPrefix(s.rest(), wrong) {
			return "", fmt.Errorf("%q is no operator, did you mean %q?", wrong, meant)
		}
	}
	if strings.HasPrefix(s.rest(), "=") {
		return "", fmt.Errorf(`"=" is no operator, did you mean "=="?`)
	}
	return "", fmt.Errorf("want one of %s before %s", strings.Join(operators(), " "), quote(s.rest()))
}

// operators lists those of versions, of which none is the beginning of a later one.
func operators() []string { return []string{"===", "==", "~=", "!=", "<=", ">=", "<", ">"} }

func checkVersion(operator, version string) error {
	equality := operator == "==" || operator == "!="
	series, wild := strings.CutSuffix(version, ".*")
	parts := exact.FindStringSubmatch(series)
	switch {
	case parts == nil || wild && !release.MatchString(series):
		return fmt.Errorf("%s is not a version", quote(version))
	case wild && !equality:
		return fmt.Errorf("%q stands behind %s, .* only goes with == and !=", version, operator)
	case parts[2] != "" && !equality:
		return fmt.Errorf("%q stands behind %s, a local version only goes with == and !=", version, operator)
	case operator == "~=" && !strings.Contains(parts[1], "."):
		return fmt.Errorf("%q stands behind ~=, which needs two numbers", version)
	}
	return nil
}
