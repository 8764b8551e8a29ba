package layers

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

// selection selects the paths of a tree: those that a pattern of include matches (all if
// there is none), except those that exclude or the ignore file match. Patterns are those
// of a .dockerignore: * stays within one element, ** does not, and a directory includes
// its content.
type selection struct {
	include *patternmatcher.PatternMatcher // nil: everything
	exclude *patternmatcher.PatternMatcher
	ignore  *patternmatcher.PatternMatcher

	leftOut func(name string) // hears of each path that the walk meets and doesn't select; nil if nobody does
}

// PatternError is an invalid pattern.
type PatternError struct {
	Pattern string
	Err     error
	what    string
}

func (e *PatternError) Error() string {
	return fmt.Sprintf("%s %q: %v", e.what, e.Pattern, e.Err)
}

// Unwrap returns the cause.
func (e *PatternError) Unwrap() error { return e.Err }

func newSelection(include, exclude []string, ignore []byte) (s selection, err error) {
	for _, p := range include {
		if strings.HasPrefix(strings.TrimSpace(p), "!") {
			err = errors.New("only an exclude pattern may begin with \"!\"")
			return s, &PatternError{Pattern: p, Err: err, what: "include pattern"}
		}
	}
	if len(include) > 0 {
		if s.include, err = matcher("include patterns", []byte(strings.Join(include, "\n"))); err != nil {
			return s, err
		}
	}
	if s.exclude, err = matcher("exclude patterns", []byte(strings.Join(exclude, "\n"))); err != nil {
		return s, err
	}
	s.ignore, err = matcher("ignore file", ignore)
	return s, err
}

func matcher(what string, content []byte) (*patternmatcher.PatternMatcher, error) {
	lines, err := ignorefile.ReadAll(bytes.NewReader(content))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", what, err)
	}
	for _, l := range lines {
		// The matcher compiles late and doesn't report which pattern failed.
		if _, err = patternmatcher.Matches("x", []string{strings.TrimPrefix(l, "!")}); err != nil {
			return nil, &PatternError{Pattern: l, Err: err, what: "reading " + what + ": pattern"}
		}
	}
	m, err := patternmatcher.New(lines)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", what, err)
	}
	return m, nil
}

// verdict is the selection's result for one path; the matchers continue from it for paths
// below.
type verdict struct {
	in                       bool
	include, exclude, ignore patternmatcher.MatchInfo
}

func (s selection) judge(name string, parent verdict) (v verdict, err error) {
	v.in = true
	if s.include != nil {
		if v.in, v.include, err = s.include.MatchesUsingParentResults(name, parent.include); err != nil {
			return v, err
		}
	}
	var out, ignored bool
	if out, v.exclude, err = s.exclude.MatchesUsingParentResults(name, parent.exclude); err != nil {
		return v, err
	}
	ignored, v.ignore, err = s.ignore.MatchesUsingParentResults(name, parent.ignore)
	v.in = v.in && !out && !ignored
	return v, err
}

// prune reports whether nothing below an unselected directory can be selected,
// so that the walk can skip it: an excluded .git may be large.
func (s selection) prune(name string, v verdict) bool {
	out, _ := s.exclude.MatchesOrParentMatches(name)
	ignored, _ := s.ignore.MatchesOrParentMatches(name)
	return !v.in && (out && !s.exclude.Exclusions() || ignored && !s.ignore.Exclusions())
}

// walk calls take for every selected path of fsys in sorted order.
func (s selection) walk(fsys fs.FS, take func(name string, d fs.DirEntry) error) error {
	verdicts := map[string]verdict{".": {}}
	return fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, walkErr error) error {
		if name == "." {
			return walkErr
		}
		v, err := s.judge(name, verdicts[path.Dir(name)])
		if err != nil {
			return fmt.Errorf("matching %q: %w", name, err)
		}
		if !v.in && s.leftOut != nil {
			s.leftOut(name)
		}
		if d.IsDir() {
			verdicts[name] = v
			if s.prune(name, v) {
				return fs.SkipDir
			}
		}
		switch {
		case walkErr != nil && v.in:
			return walkErr
		case walkErr != nil: // an unreadable directory that isn't selected
			return fs.SkipDir
		case v.in:
			return take(name, d)
		}
		return nil
	})
}
