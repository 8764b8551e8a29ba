package requirements

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// project is what a requirement begins with: NAME[EXTRAS], as written.
type project struct {
	name   string
	extras []string
}

func (p project) String() string { return p.name + p.list() }

// list writes the extras.
func (p project) list() string {
	if len(p.extras) == 0 {
		return ""
	}
	return "[" + strings.Join(p.extras, ",") + "]"
}

// at writes a direct reference, and the URL alone where no name is known.
func (p project) at(address string) string {
	if p.name == "" {
		return address
	}
	return p.String() + " @ " + address
}

// or is the project that a URL's fragment names, if none stands before it.
func (p project) or(egg project) (project, error) {
	if p.name == "" {
		return egg, nil
	}
	if egg.name != "" && Normal(egg.name) != Normal(p.name) {
		return p, fmt.Errorf("#egg=%s is not %s", egg.name, p.name)
	}
	return p, nil
}

// project reads the name and the extras that a requirement begins with, and
// the white space behind them.
func (s *scanner) project() (project, error) {
	name := s.word()
	if !isName(name) {
		if name == "" {
			return project{}, errors.New("it doesn't begin with the name of a project")
		}
		return project{}, fmt.Errorf("%q is not the name of a project", name)
	}
	p := project{name: name}
	s.space()
	err := s.extras(&p)
	s.space()
	return p, err
}

func (s *scanner) word() string {
	return s.while(func(c byte) bool { return isAlphanumeric(c) || isSeparator(c) })
}

// extras reads [a, b], if it is here.
func (s *scanner) extras(p *project) error {
	if !s.take("[") {
		return nil
	}
	s.space()
	for !s.take("]") {
		if len(p.extras) > 0 {
			if !s.take(",") {
				return errors.New("extras are written [a,b]")
			}
			s.space()
		}
		extra := s.word()
		if !isName(extra) {
			return errors.New("extras are written [a,b]")
		}
		if !slices.Contains(p.extras, extra) {
			p.extras = append(p.extras, extra)
		}
		s.space()
	}
	return nil
}
