package layers

import (
	"fmt"
	"path"
)

// Select returns those of the paths that a layer of weights would have, in
// their order: all that a pattern of include matches (all where there is none),
// but for what exclude matches. Patterns are the ones of a .dockerignore, and
// one that matches a directory brings what is in it. A pattern that is none is a
// [PatternError].
func Select(paths, include, exclude []string) ([]string, error) {
	s, err := newSelection(include, exclude, nil)
	if err != nil {
		return nil, err
	}
	verdicts := map[string]verdict{".": {}}
	var selected []string
	for _, name := range paths {
		v, err := s.judgeBelow(path.Clean(name), verdicts)
		if err != nil {
			return nil, fmt.Errorf("matching %q: %w", name, err)
		}
		if v.in {
			selected = append(selected, name)
		}
	}
	return selected, nil
}

// judgeBelow judges a path after the directories above it, of which it keeps what
// it finds out.
func (s selection) judgeBelow(name string, known map[string]verdict) (verdict, error) {
	if v, ok := known[name]; ok || name == "/" {
		return v, nil
	}
	above, err := s.judgeBelow(path.Dir(name), known)
	if err != nil {
		return verdict{}, err
	}
	known[name], err = s.judge(name, above)
	return known[name], err
}
