package hub

import (
	"errors"
	"fmt"

	"lamina.build/internal/failure"
	"lamina.build/internal/layers"
)

// ErrNoMatch says that patterns leave nothing of a model.
var ErrNoMatch = errors.New("no file matches the patterns")

// Match selects files by the patterns of a .dockerignore, as [layers.Select] does.
// It is an error when none is left, or when a pattern is none: a [failure.Usage]
// both.
func Match(files []File, include, exclude []string) ([]File, error) {
	byPath := make(map[string]File, len(files))
	paths := make([]string, len(files))
	for i, f := range files {
		paths[i], byPath[f.Path] = f.Path, f
	}
	selected, err := layers.Select(paths, include, exclude)
	if err != nil {
		return nil, failure.New(failure.Usage, err)
	}
	if len(selected) == 0 && len(files) > 0 {
		err := failure.New(failure.Usage, ErrNoMatch)
		return nil, failure.WithHint(err, fmt.Sprintf("there are %d, such as %q", len(files), files[0].Path))
	}
	matched := make([]File, len(selected))
	for i, name := range selected {
		matched[i] = byPath[name]
	}
	return matched, nil
}
