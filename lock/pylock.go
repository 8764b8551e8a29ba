package lock

import (
	"errors"
	"fmt"
	"path"
	"strings"
)

// Pylock returns the distributions that a variant installs as the text of a
// pylock.toml (PEP 751), for other installers. Files next to the spec are named by
// path, relative to the pylock.toml: directory is the path of the spec's directory
// from that of the file, "." if they are the same.
func (l Lock) Pylock(variant, directory string) ([]byte, error) {
	list := l.PythonIn(variant)
	if len(list) == 0 {
		return nil, errors.New("the lock has no Python distributions")
	}
	var b strings.Builder
	b.WriteString("lock-version = \"1.0\"\ncreated-by = \"lamina\"\n")
	for _, d := range list {
		fmt.Fprintf(&b, "\n[[packages]]\nname = %s\n", quote(d.Name))
		if !d.renamed() {
			fmt.Fprintf(&b, "version = %s\n", quote(d.Version))
		}
		if d.Index != "" {
			fmt.Fprintf(&b, "index = %s\n", quote(d.Index))
		}
		b.WriteString(d.pylock(directory))
	}
	return []byte(b.String()), nil
}

// renamed reports whether a wheel's file name has another version. uv accepts such a
// wheel only from a pylock.toml that gives no version for it.
func (d Distribution) renamed() bool {
	return d.IsWheel() && !strings.Contains(d.File, "-"+d.Version+"-")
}

// pylock returns the source of d in the terms of PEP 751, in which a file that no index
// named is an archive: its name need not match its content.
func (d Distribution) pylock(directory string) string {
	if remote, commit, below, ok := d.Git(); ok {
		table := fmt.Sprintf("type = \"git\", url = %s, commit-id = %s", quote(remote), quote(commit))
		if below != "" {
			table += ", subdirectory = " + quote(below)
		}
		return fmt.Sprintf("vcs = { %s }\n", table)
	}
	address, below := d.Archive()
	where := "url = " + quote(address)
	if local, ok := d.Local(); ok {
		where = "path = " + quote(path.Join(directory, local))
	}
	if below != "" {
		where += ", subdirectory = " + quote(below)
	}
	what := fmt.Sprintf("%s, size = %d, hashes = { sha256 = %s } }", where, d.Size, quote(d.SHA256))
	switch named := fmt.Sprintf("{ name = %s, ", quote(d.File)); {
	case d.Index == "":
		return fmt.Sprintf("archive = { %s\n", what)
	case d.IsWheel():
		return fmt.Sprintf("wheels = [\n  %s%s,\n]\n", named, what)
	default:
		return fmt.Sprintf("sdist = %s%s\n", named, what)
	}
}
