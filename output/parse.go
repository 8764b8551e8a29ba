package output

import (
	"encoding/csv"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// ParseAll reads one line for each use of the flag and reports the faults of
// all of them. Two outputs may not write to one place.
func ParseAll(lines []string) ([]Output, error) {
	var (
		all    []Output
		faults []error
	)
	for _, line := range lines {
		o, err := Parse(line)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		if slices.ContainsFunc(all, o.sharesPlace) {
			faults = append(faults, fmt.Errorf("output %q: another one already writes there", line))
		}
		all = append(all, o)
	}
	return all, errors.Join(faults...)
}

func (o Output) sharesPlace(other Output) bool {
	if o.Type == Image || other.Type == Image {
		return false
	}
	return o.Dest == other.Dest
}

// Parse reads one line: "type=oci,dest=image.tar", "type=image,push=true", or
// a lone folder, which gets the bare files as buildx has it. All faults are
// reported at once.
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
	if len(p.faults) == 0 {
		return p.Output, nil
	}
	for i, fault := range p.faults {
		p.faults[i] = fmt.Errorf("output %q: %w", line, fault)
	}
	return Output{}, errors.Join(p.faults...)
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
			return nil, errors.New("a type is needed: type=oci,dest=- or type=docker,dest=-")
		}
		return []string{"type=local", "dest=" + fields[0]}, nil
	}
	return fields, nil
}

// parser gathers fields and faults.
type parser struct {
	Output
	given  map[string]bool
	faults []error
}

func (p *parser) fault(format string, args ...any) {
	p.faults = append(p.faults, fmt.Errorf(format, args...))
}

func (p *parser) field(field string) {
	key, value, ok := strings.Cut(field, "=")
	key = strings.ToLower(strings.TrimSpace(key))
	if !ok {
		p.fault("%q is not key=value", field)
		return
	}
	if p.given[key] && key != "name" {
		p.fault("%s is given twice", key)
		return
	}
	p.given[key] = true
	p.set(key, value)
}

func (p *parser) set(key, value string) {
	switch key {
	case "type":
		p.setType(value)
	case "dest":
		p.Dest = value
		if value == "" {
			p.fault("dest is empty")
		}
	case "tar":
		p.Tar = p.boolean(key, value)
	case "push":
		p.Push = p.boolean(key, value)
	case "registry.insecure":
		p.Insecure = p.boolean(key, value)
	case "name":
		p.setNames(value)
	case "compression":
		p.setCompression(value)
	case "compression-level":
		p.setLevel(value)
	default:
		p.fault("%q is not one of %s", key, strings.Join(keys(), ", "))
	}
}

func keys() []string {
	return []string{"type", "dest", "tar", "name", "push", "registry.insecure", "compression", "compression-level"}
}

func (p *parser) setType(value string) {
	switch t := Type(value); t {
	case OCI, Docker, Image, Local:
		p.Type = t
	case "registry":
		p.fault("type %q is written type=image,push=true", value)
	default:
		p.fault("type %q is not one of oci, docker, image, local", value)
	}
}

func (p *parser) boolean(key, value string) bool {
	b, err := strconv.ParseBool(value)
	if err != nil {
		p.fault("%s=%s is neither true nor false", key, value)
	}
	return b
}

func (p *parser) setNames(value string) {
	for name := range strings.SplitSeq(value, ",") {
		if name == "" || strings.ContainsAny(name, " \t\"=") {
			p.fault("%q is not the name of an image", name)
			continue
		}
		p.Names = append(p.Names, name)
	}
}

func (p *parser) setCompression(value string) {
	switch c := Compression(value); c {
	case Uncompressed, Gzip, Zstd, EStargz:
		p.Compression = c
	default:
		p.fault("compression %q is not one of uncompressed, gzip, zstd, estargz", value)
	}
}

func (p *parser) setLevel(value string) {
	n, err := strconv.Atoi(value)
	if err != nil || n < 0 {
		p.fault("compression-level %q is not a number from 0", value)
		return
	}
	p.Level = &n
}
