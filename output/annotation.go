package output

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// Annotation is an annotation of an image: of its manifest, of the index of several
// platforms, or of the descriptor of one of them.
type Annotation struct {
	Key, Value string
	Index      bool
	Descriptor bool
	Platform   string // of the image, as written; "" is any
}

// The parts of an image that can be annotated, as BuildKit names them.
const (
	manifest        = "manifest"
	descriptor      = "manifest-descriptor"
	index           = "index"
	indexDescriptor = "index-descriptor"
)

var (
	annotatedPart = regexp.MustCompile(`^([a-z-]*)(?:\[([A-Za-z0-9_/-]+)\])?$`)
	attribute     = regexp.MustCompile(`^annotation(?:-([a-z-]+))?(\[[A-Za-z0-9_/-]+\])?\.(.*)$`)
)

// ParseAnnotation reads the syntax of docker buildx's --annotation: "key=value",
// "manifest:key=value", "manifest,manifest-descriptor[linux/amd64]:key=value".
func ParseAnnotation(text string) ([]Annotation, error) {
	left, value, ok := strings.Cut(text, "=")
	if !ok {
		return nil, fmt.Errorf("annotation %q is not key=value", text)
	}
	parts, key, ok := strings.Cut(left, ":")
	if !ok {
		parts, key = manifest, left
	}
	var list []Annotation
	var problems []error
	for part := range strings.SplitSeq(parts, ",") {
		a, err := annotation(part, key, value)
		if err != nil {
			problems = append(problems, fmt.Errorf("annotation %q: %w", text, err))
		}
		list = append(list, a)
	}
	return list, errors.Join(problems...)
}

func annotation(part, key, value string) (Annotation, error) {
	if key == "" || strings.ContainsAny(key, " \t\r\n") {
		return Annotation{}, fmt.Errorf("%q is not a key: it is empty, or has spaces", key)
	}
	words := annotatedPart.FindStringSubmatch(part)
	if words == nil {
		return Annotation{}, fmt.Errorf("%q is not manifest, manifest-descriptor, index or index-descriptor, or one of the first two with [PLATFORM]", part)
	}
	a := Annotation{Key: key, Value: value, Platform: words[2]}
	switch words[1] {
	case manifest:
	case descriptor:
		a.Descriptor = true
	case index, indexDescriptor:
		a.Index, a.Descriptor = true, words[1] == indexDescriptor
		if a.Platform != "" {
			return a, fmt.Errorf("%q: an index is of all platforms", part)
		}
	default:
		return a, fmt.Errorf("%q is not manifest, manifest-descriptor, index or index-descriptor", words[1])
	}
	return a, nil
}

// String returns the annotation as [ParseAnnotation] reads it.
func (a Annotation) String() string {
	return strings.TrimPrefix(a.part(), "-") + ":" + a.Key + "=" + a.Value
}

// Attribute returns the annotation's key for BuildKit's exporters. It leaves out the
// platform: to them, an image of one platform has no platform.
func (a Annotation) Attribute() string {
	a.Platform = ""
	return "annotation" + a.part() + "." + a.Key
}

func (a Annotation) part() string {
	part := "-" + manifest
	switch {
	case a.Index && a.Descriptor:
		part = "-" + indexDescriptor
	case a.Index:
		part = "-" + index
	case a.Descriptor:
		part = "-" + descriptor
	}
	if a.Platform != "" {
		part += "[" + a.Platform + "]"
	}
	return part
}

// Annotate adds the annotations to o that it has a place for, and returns the others.
func (o *Output) Annotate(list []Annotation) (others []Annotation) {
	for _, a := range list {
		if o.holds(a) {
			o.Annotations = append(o.Annotations, a)
		} else {
			others = append(others, a)
		}
	}
	return others
}

// holds reports whether o has a place for an annotation. Images for docker have docker's own
// kind of manifest, without annotations of a descriptor, and no index.
func (o Output) holds(a Annotation) bool {
	return o.Type == OCI || !a.Descriptor && (o.Type == Docker && !a.Index || o.Type == Image)
}
