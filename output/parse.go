package output

import (
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/distribution/reference"
)

// ParseAll reads one line for each use of the flag. It returns the outputs without problems
// and the problems of all others. [CheckAll] compares the outputs with each other.
func ParseAll(lines []string) ([]Output, error) {
	var (
		all      []Output
		problems []error
	)
	for _, line := range lines {
		o, err := Parse(line)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		all = append(all, o)
	}
	return all, errors.Join(problems...)
}

// check reports the problems of a single output: that no line for [Parse] expresses it, or
// that a registry gets no name.
func (o Output) check() error {
	if o.Type == "" {
		return errors.New("an output has no type; make it with output.Parse")
	}
	read, err := Parse(o.String())
	switch {
	case err == nil && read.Tar != o.Tar:
		err = fmt.Errorf("output %q: Tar is %t, but must be %t", o, o.Tar, read.Tar)
	case err == nil && o.Type == Image && len(o.Names) == 0:
		err = fmt.Errorf("output %q: an image for a registry needs a name", o)
	case err == nil && o.ByDigest && !o.Push:
		err = fmt.Errorf("output %q: push-by-digest requires a push; add push=true", o)
	case err == nil && o.ByDigest:
		err = o.checkTagless()
	}
	return err
}

// checkTagless reports tags that would not be set.
func (o Output) checkTagless() error {
	var problems []error
	for _, name := range o.Names {
		if named, err := parseName(name); err == nil && !reference.IsNameOnly(named) {
			problems = append(problems, fmt.Errorf("output %q: push-by-digest sets no tag; name %s without one", o, named.Name()))
		}
	}
	return errors.Join(problems...)
}

// CheckAll reports the problems of the outputs of one build: of each, and two that write to
// the same destination or are OCI layouts in directories.
func CheckAll(all []Output) error {
	var problems []error
	for i, o := range all {
		problems = append(problems, o.check())
		switch before := all[:i]; {
		case o.Layout() && slices.ContainsFunc(before, Output.Layout):
			problems = append(problems, errors.New("only one output can be an OCI layout in a directory"))
		case slices.ContainsFunc(before, o.sharesPlace):
			problems = append(problems, fmt.Errorf("output %q: another output already writes there", o))
		}
	}
	return errors.Join(problems...)
}

// CheckName reports problems of the name of an image, "registry.example/app:1". It must not
// have a digest, which only the build determines.
func CheckName(name string) error {
	named, err := parseName(name)
	if err != nil {
		return err
	}
	if _, pinned := named.(reference.Digested); pinned {
		return fmt.Errorf("%q has a digest, which only the build determines", name)
	}
	return nil
}

// CheckReference reports problems of the name of something in a registry, which may have a
// digest.
func CheckReference(name string) error {
	_, err := parseName(name)
	return err
}

func parseName(name string) (reference.Named, error) {
	named, err := reference.ParseNormalizedNamed(name)
	if err != nil {
		return nil, fmt.Errorf("%q is not the name of an image: %w", name, err)
	}
	// A first part in capitals is parsed as a host, which doesn't exist.
	if host := reference.Domain(named); host != "localhost" && !strings.ContainsAny(host, ".:") {
		return nil, fmt.Errorf("%q is not the name of an image: a repository is in lower case, and a registry has a dot or a port", name)
	}
	return named, nil
}

// SplitName splits the name of an image, which must be valid, and adds the defaults: "app"
// is "latest" of "docker.io/library/app".
func SplitName(name string) (repository, tag string) {
	named, err := reference.ParseNormalizedNamed(name)
	if err != nil {
		return name, ""
	}
	if tagged, ok := reference.TagNameOnly(named).(reference.Tagged); ok {
		tag = tagged.Tag()
	}
	return named.Name(), tag
}

func (o Output) sharesPlace(other Output) bool {
	if o.Type == Image || other.Type == Image {
		return false
	}
	return o.Dest == other.Dest && (o.Dest != "" || o.Type == other.Type)
}

// Parse reads one line: "type=oci,dest=image.tar", "type=image,push=true", or, as in
// buildx, a lone directory for the bare files or a lone - for a tar of them. It reports all
// problems at once.
func Parse(line string) (Output, error) {
	fields, err := split(line)
	if err != nil {
		return Output{}, fmt.Errorf("output %q: %w", line, err)
	}
	p := parser{given: map[string]bool{}}
	for _, field := range fields {
		p.field(field)
	}
	p.complete()
	if len(p.problems) == 0 {
		return p.Output, nil
	}
	for i, problem := range p.problems {
		p.problems[i] = fmt.Errorf("output %q: %w", line, problem)
	}
	return Output{}, errors.Join(p.problems...)
}

// split reads the line as CSV, so that a quoted field may hold commas.
func split(line string) ([]string, error) {
	switch {
	case strings.TrimSpace(line) == "":
		return nil, errors.New("nothing is given")
	case strings.ContainsAny(line, "\n\r"):
		return nil, errors.New("more than one line is given")
	}
	fields, err := csv.NewReader(strings.NewReader(line)).Read()
	if err != nil {
		return nil, errors.New("its quotes don't match")
	}
	if len(fields) == 1 && !strings.Contains(fields[0], "=") {
		if fields[0] == Stdout {
			return []string{"type=tar", "dest=-"}, nil
		}
		return []string{"type=local", "dest=" + fields[0]}, nil
	}
	return fields, nil
}

// parser gathers fields and problems.
type parser struct {
	Output
	registry  bool // the type is buildx's "registry", an image that is pushed
	canonical bool // buildx's name-canonical is set
	given     map[string]bool
	problems  []error
}

func (p *parser) problem(format string, args ...any) {
	p.problems = append(p.problems, fmt.Errorf(format, args...))
}

func (p *parser) field(field string) {
	key, value, ok := strings.Cut(field, "=")
	key = strings.TrimSpace(key)
	if lower := strings.ToLower(key); !attribute.MatchString(key) {
		key = lower
	}
	if !ok {
		p.problem("%q is not key=value", field)
		return
	}
	if p.given[key] && key != "name" {
		p.problem("%s is given twice", key)
		return
	}
	p.given[key] = true
	p.set(key, value)
}

func (p *parser) set(key, value string) {
	switch key {
	case "type":
		if p.registry = value == "registry"; p.registry {
			value = string(Image)
		}
		p.Type = word(p, key, value, OCI, Docker, Image, Local, Tar, CacheOnly)
	case "dest":
		p.Dest = value
		if value == "" {
			p.problem("dest is empty")
		}
	case "tar":
		p.Tar = p.boolean(key, value)
	case "push":
		p.Push = p.boolean(key, value)
	case "push-by-digest":
		p.ByDigest = p.boolean(key, value)
	case "name-canonical":
		p.canonical = p.boolean(key, value)
	case "registry.insecure":
		p.Insecure = p.boolean(key, value)
	case "name":
		for name := range strings.SplitSeq(value, ",") {
			if err := CheckName(name); err != nil {
				p.problems = append(p.problems, err)
				continue
			}
			p.Names = append(p.Names, name)
		}
	case "compression":
		p.Compression = word(p, key, value, Uncompressed, Gzip, Zstd)
	case "compression-level":
		p.problem("compression-level: an engine keeps the level at which it first made a layer, also for later images; leave it out")
	case "force-compression", "oci-mediatypes", "rewrite-timestamp":
		p.problem("%s: every image is made this way; leave it out", key)
	default:
		if words := attribute.FindStringSubmatch(key); words != nil {
			a, err := annotation(cmp.Or(words[1], manifest)+words[2], words[3], value)
			if err != nil {
				p.problem("%s: %w", key, err)
			}
			p.Annotations = append(p.Annotations, a)
			return
		}
		p.problem("%q is not one of type, dest, tar, name, push, push-by-digest, registry.insecure, compression, annotation.KEY", key)
	}
}

func (p *parser) boolean(key, value string) bool {
	b, err := strconv.ParseBool(value)
	if err != nil {
		p.problem("%s=%s is neither true nor false", key, value)
	}
	return b
}

// word returns the value if it is one of the words, else "".
func word[W ~string](p *parser, key, value string, words ...W) (found W) {
	var list []string
	for _, w := range words {
		if string(w) == value {
			return w
		}
		list = append(list, string(w))
	}
	p.problem("%s %q is not one of %s", key, value, strings.Join(list, ", "))
	return found
}
