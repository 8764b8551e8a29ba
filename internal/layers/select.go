package layers

import (
	"fmt"
	"path"
)

// Select returns the paths that a layer of weights would have, in their order: those
// that a pattern of include matches (all if there is none), except those that exclude
// matches. Patterns are those of a .dockerignore, and one that matches a directory
// includes its content. An invalid pattern is a [PatternError].
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

// judgeBelow judges a path after the directories above it, and caches the verdicts of
// those.
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
