package output

import (
	"errors"
	"fmt"
	"slices"
)

// Flags are docker buildx's flags that say where an image goes.
type Flags struct {
	Outputs     []string // lines for [Parse]; none, without Push and Load, is the OCI layout dist/NAME
	Tags        []string // names of each image
	Annotations []string // for [ParseAnnotation]
	Push        bool     // push each output of type Image
	Load        bool     // load the image into docker
}

// Parse returns the outputs and reports all problems at once. [CheckAll] compares the outputs
// with each other.
func (f Flags) Parse() ([]Output, error) {
	var problems []error
	for _, tag := range f.Tags {
		if err := CheckName(tag); err != nil {
			problems = append(problems, fmt.Errorf("flag --tag: %w", err))
		}
	}
	lines := f.Outputs
	switch {
	case len(lines) == 0 && f.Push:
		lines = []string{"type=image"}
	case len(lines) == 0 && !f.Load:
		lines = []string{"type=oci"}
	}
	all, err := ParseAll(lines)
	isImage := func(o Output) bool { return o.Type == Image }
	if f.Push && err == nil && !slices.ContainsFunc(all, isImage) {
		problems = append(problems, errors.New("flag --push: no output goes to a registry: add -o type=image, or leave --output out"))
	}
	if f.Load && !slices.ContainsFunc(all, Output.Loads) {
		all = append(all, Output{Type: Docker, Tar: true})
	}
	for i := range all {
		o := &all[i]
		if o.HasImage() {
			o.Names = append(o.Names, f.Tags...)
		}
		if !isImage(*o) {
			continue
		}
		if o.Push = o.Push || f.Push; len(o.Names) == 0 {
			problems = append(problems, errors.New("an image for a registry needs a name: add --tag registry/name:tag"))
		}
	}
	return all, errors.Join(append(problems, err, f.annotate(all, err == nil))...)
}

// annotate gives each output the annotations that it has a place for. If these are all
// of the outputs, each annotation must fit at least one.
func (f Flags) annotate(outputs []Output, all bool) error {
	var problems []error
	for _, text := range f.Annotations {
		list, err := ParseAnnotation(text)
		if err != nil {
			problems = append(problems, fmt.Errorf("flag --annotation: %w", err))
			continue
		}
		held := false
		for i := range outputs {
			held = len(outputs[i].Annotate(list)) < len(list) || held
		}
		if !held && all {
			problems = append(problems, fmt.Errorf("flag --annotation: no output has a place for %q", text))
		}
	}
	return errors.Join(problems...)
}
