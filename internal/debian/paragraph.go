package debian

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"strconv"
)

// Package is what an index says of a package, as far as Lamina asks.
type Package struct {
	Release *Release // where it was found

	Name, Version, Architecture string
	Depends, PreDepends         string
	Provides, Conflicts, Breaks string
	MultiArch                   string // "same", "foreign", "allowed" or nothing
	Essential                   bool
	Filename                    string // clean, below the repository
	SHA256                      string
	Size                        int64
}

// String is "name version".
func (p *Package) String() string { return p.Name + " " + p.Version }

// The fields that are kept, in the order of their places in a paragraph.
const (
	fieldPackage = iota
	fieldVersion
	fieldArchitecture
	fieldDepends
	fieldPreDepends
	fieldProvides
	fieldConflicts
	fieldBreaks
	fieldMultiArch
	fieldEssential
	fieldFilename
	fieldSHA256
	fieldSize
	fields
)

// fieldOf is called for every line of an index: the switch spares a map and
// the allocation of a key.
func fieldOf(key []byte) int {
	switch string(key) {
	case "Package":
		return fieldPackage
	case "Version":
		return fieldVersion
	case "Architecture":
		return fieldArchitecture
	case "Depends":
		return fieldDepends
	case "Pre-Depends":
		return fieldPreDepends
	case "Provides":
		return fieldProvides
	case "Conflicts":
		return fieldConflicts
	case "Breaks":
		return fieldBreaks
	case "Multi-Arch":
		return fieldMultiArch
	case "Essential":
		return fieldEssential
	case "Filename":
		return fieldFilename
	case "SHA256":
		return fieldSHA256
	case "Size":
		return fieldSize
	}
	return -1
}

// paragraph collects the kept fields of one package in one buffer, so that a
// package costs one allocation.
type paragraph struct {
	buf  []byte
	span [fields][2]int
	last int // the field that a continuation line goes on with
	used bool
}

func (p *paragraph) reset() {
	*p = paragraph{buf: p.buf[:0], last: -1}
}

// line takes a line that is not empty.
func (p *paragraph) line(line []byte) {
	p.used = true
	if line[0] == ' ' || line[0] == '\t' {
		if p.last >= 0 {
			p.buf = append(append(p.buf, ' '), bytes.TrimSpace(line)...)
			p.span[p.last][1] = len(p.buf)
		}
		return
	}
	p.last = -1
	key, value, found := bytes.Cut(line, []byte(":"))
	if !found {
		return
	}
	if p.last = fieldOf(key); p.last >= 0 {
		start := len(p.buf)
		p.buf = append(p.buf, bytes.TrimSpace(value)...)
		p.span[p.last] = [2]int{start, len(p.buf)}
	}
}

func (p *paragraph) pack() (Package, error) {
	text := string(p.buf)
	get := func(field int) string { return text[p.span[field][0]:p.span[field][1]] }
	out := Package{
		Name: get(fieldPackage), Version: get(fieldVersion), Architecture: get(fieldArchitecture),
		Depends: get(fieldDepends), PreDepends: get(fieldPreDepends),
		Provides: get(fieldProvides), Conflicts: get(fieldConflicts), Breaks: get(fieldBreaks),
		MultiArch: get(fieldMultiArch), Essential: get(fieldEssential) == "yes",
		Filename: path.Clean(get(fieldFilename)), SHA256: get(fieldSHA256),
	}
	var err error
	out.Size, err = strconv.ParseInt(get(fieldSize), 10, 64)
	switch {
	case out.Name == "" || out.Version == "" || out.Architecture == "":
		return Package{}, fmt.Errorf("package %q: name, version and architecture must be given", out.Name)
	case err != nil || out.Size <= 0:
		return Package{}, fmt.Errorf("package %q: %q is not a size", out.Name, get(fieldSize))
	case !filepath.IsLocal(out.Filename) || out.Filename == ".":
		return Package{}, fmt.Errorf("package %q: %q is not a path below the repository", out.Name, get(fieldFilename))
	}
	return out, nil
}

// ReadPackages reads an unpacked Packages file and calls visit for each
// package in it.
func ReadPackages(r io.Reader, visit func(Package)) error {
	lines := bufio.NewReaderSize(r, 1<<16)
	var p paragraph
	p.reset()
	flush := func() error {
		if !p.used {
			return nil
		}
		pkg, err := p.pack()
		if err != nil {
			return err
		}
		visit(pkg)
		p.reset()
		return nil
	}
	for {
		line, err := readLine(lines)
		if text := bytes.TrimRight(line, " \t\r\n"); len(text) > 0 {
			p.line(text)
		} else if ferr := flush(); ferr != nil {
			return ferr
		}
		if errors.Is(err, io.EOF) {
			return flush()
		}
		if err != nil {
			return err
		}
	}
}

// readLine returns the next line, from the reader's own buffer where it fits.
func readLine(r *bufio.Reader) ([]byte, error) {
	line, err := r.ReadSlice('\n')
	if !errors.Is(err, bufio.ErrBufferFull) {
		return line, err
	}
	long := bytes.Clone(line)
	for errors.Is(err, bufio.ErrBufferFull) {
		line, err = r.ReadSlice('\n')
		long = append(long, line...)
	}
	return long, err
}
