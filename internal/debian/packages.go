package debian

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"path"
	"path/filepath"
	"strconv"
	"strings"
)

// Package has the fields of an index's entry that Lamina uses.
type Package struct {
	Release *Release // whose index lists it

	Name, Version, Architecture string
	Depends, PreDepends         string
	Provides, Conflicts, Breaks string
	MultiArch                   string // "same", "foreign", "allowed" or nothing
	Essential                   bool
	Filename                    string // clean, below the repository
	SHA256, SHA512              string // hexadecimal; "" for none
	Size                        int64

	recommends, suggests, replaces, enhances string
}

// String returns "name version".
func (p *Package) String() string { return p.Name + " " + p.Version }

// Check returns why a package can't be used, or nil. A bad entry in an index doesn't affect the
// other packages.
func (p *Package) Check() error {
	algorithm, sum := File{SHA256: p.SHA256, SHA512: p.SHA512}.promised()
	size := map[string]int{"sha256": sha256.Size, "sha512": sha512.Size}[algorithm]
	switch _, err := hexadecimal(sum, size); {
	case sum == "":
		return fmt.Errorf("its index has neither a SHA256 nor a SHA512 of it, and weaker hashes are not accepted")
	case err != nil:
		return fmt.Errorf("reading its index: %w", err)
	case p.Size <= 0:
		return fmt.Errorf("its index lists a size of %d bytes", p.Size)
	}
	return nil
}

// paragraph collects the fields of one package in one buffer, so that a package costs one
// allocation.
type paragraph struct {
	buf  []byte
	last *span // the field that a continuation line extends
	used bool

	name, version, architecture   span
	depends, preDepends, provides span
	conflicts, breaks, multiArch  span
	essential, filename, size     span
	sha256, sha512                span
	recommends, suggests          span
	replaces, enhances            span
}

// span is the range of a field's value in the buffer.
type span struct{ from, to int }

// field returns the span for a field; nil for one that is not used. It is called for every
// line of an index: the switch avoids a map and the allocation of a key.
func (p *paragraph) field(key []byte) *span {
	switch string(key) {
	case "Package":
		return &p.name
	case "Version":
		return &p.version
	case "Architecture":
		return &p.architecture
	case "Depends":
		return &p.depends
	case "Pre-Depends":
		return &p.preDepends
	case "Provides":
		return &p.provides
	case "Conflicts":
		return &p.conflicts
	case "Breaks":
		return &p.breaks
	case "Multi-Arch":
		return &p.multiArch
	case "Essential":
		return &p.essential
	case "Filename":
		return &p.filename
	case "SHA256":
		return &p.sha256
	case "SHA512":
		return &p.sha512
	case "Size":
		return &p.size
	case "Recommends":
		return &p.recommends
	case "Suggests":
		return &p.suggests
	case "Replaces":
		return &p.replaces
	case "Enhances":
		return &p.enhances
	}
	return nil
}

// line adds a line that is not empty.
func (p *paragraph) line(line []byte) {
	p.used = true
	if line[0] == ' ' || line[0] == '\t' {
		if p.last != nil {
			p.buf = append(append(p.buf, ' '), bytes.TrimSpace(line)...)
			p.last.to = len(p.buf)
		}
		return
	}
	p.last = nil
	key, value, found := bytes.Cut(line, []byte(":"))
	if !found {
		return
	}
	if p.last = p.field(key); p.last != nil {
		p.last.from = len(p.buf)
		p.buf = append(p.buf, bytes.TrimSpace(value)...)
		p.last.to = len(p.buf)
	}
}

func (p *paragraph) pack() (Package, error) {
	text := string(p.buf)
	get := func(s span) string { return text[s.from:s.to] }
	out := Package{
		Name: get(p.name), Version: get(p.version), Architecture: get(p.architecture),
		Depends: get(p.depends), PreDepends: get(p.preDepends),
		Provides: get(p.provides), Conflicts: get(p.conflicts), Breaks: get(p.breaks),
		MultiArch: get(p.multiArch), Essential: get(p.essential) == "yes",
		Filename: path.Clean(get(p.filename)), SHA256: strings.ToLower(get(p.sha256)), SHA512: strings.ToLower(get(p.sha512)),
		recommends: get(p.recommends), suggests: get(p.suggests), replaces: get(p.replaces), enhances: get(p.enhances),
	}
	var err error
	out.Size, err = strconv.ParseInt(get(p.size), 10, 64)
	switch {
	case out.Name == "":
		return Package{}, fmt.Errorf("the entry of the file %q names no package", get(p.filename))
	case out.Version == "" || out.Architecture == "":
		return Package{}, fmt.Errorf("package %q: version and architecture must be given", out.Name)
	case err != nil || out.Size < 0:
		return Package{}, fmt.Errorf("package %q: %q is not a size", out.Name, get(p.size))
	case !filepath.IsLocal(out.Filename) || out.Filename == ".":
		return Package{}, fmt.Errorf("package %q: %q is not a path below the repository", out.Name, get(p.filename))
	}
	return out, nil
}

// take reads the first paragraph of a text, and returns its length with the empty line after
// it.
func (p *paragraph) take(text []byte) (length int) {
	*p = paragraph{buf: p.buf[:0]}
	for line := range bytes.Lines(text) {
		length += len(line)
		if line = bytes.TrimRight(line, " \t\r\n"); len(line) > 0 {
			p.line(line)
		} else if p.used {
			break
		}
	}
	return length
}

// ReadPackages reads an unpacked Packages file, and calls visit for each package with the
// offset of its paragraph.
func ReadPackages(text []byte, visit func(begin int, p Package)) error {
	var p paragraph
	for begin := 0; begin < len(text); {
		length := p.take(text[begin:])
		if p.used {
			pkg, err := p.pack()
			if err != nil {
				return err
			}
			visit(begin, pkg)
		}
		begin += length
	}
	return nil
}
