package requirements

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path"
	"strings"

	"lamina.build/internal/fault"
)

// local finds a path from a folder below the root. Its errors lack their
// subject, the name as it was written.
func local(folder, name string) (string, error) {
	clean := path.Join(folder, name)
	switch {
	case name == "":
		return "", errors.New("is not a path")
	case strings.Contains(name, `\`):
		return "", errors.New("holds a backslash, paths are written with /")
	case path.IsAbs(name) || strings.HasPrefix(name, "~"):
		return "", errors.New("is absolute, want a path below the folder of image.toml")
	case !fs.ValidPath(clean):
		return "", errors.New("leads out of the folder of image.toml")
	}
	return clean, nil
}

// plainLocal is local for a path that becomes part of a line for pip, where
// other characters would end it or mean something.
func plainLocal(folder, name string) (string, error) {
	clean, err := local(folder, name)
	if i := strings.IndexFunc(clean, notPlain); i >= 0 && err == nil {
		return "", fmt.Errorf("holds %q, want a path of letters, digits and ._+-~!@=,/", []rune(clean[i:])[0])
	}
	return clean, err
}

func notPlain(c rune) bool {
	return c > '~' || !isAlphanumeric(byte(c&0x7f)) && !strings.ContainsRune("._+-~!@=,/", c)
}

// looksLocal tells a path from a project's name, as pip does: by a separator
// or the ending of an archive.
func looksLocal(text string) bool {
	text, _ = cutExtras(text)
	return strings.ContainsAny(text, `/\`) || strings.HasPrefix(text, ".") || isArchive(text)
}

// cutExtras splits the [EXTRAS] from the end of a path.
func cutExtras(text string) (file, extras string) {
	if i := strings.LastIndexByte(text, '['); i > 0 && strings.HasSuffix(text, "]") {
		return strings.TrimRight(text[:i], " \t"), text[i:]
	}
	return text, ""
}

// cutFileScheme makes a path of a file URL (RFC 8089), and tells whether it was one.
func cutFileScheme(s string) (string, bool) {
	if len(s) < 5 || !strings.EqualFold(s[:5], "file:") {
		return s, false
	}
	name, _, _ := strings.Cut(s[5:], "#")
	if rest, ok := strings.CutPrefix(name, "//"); ok {
		name = "/" + strings.TrimLeft(rest, "/") // also with a host it is a path of one machine only
	}
	if text, err := url.PathUnescape(name); err == nil {
		name = text
	}
	return name, true
}

// path reads the path of an archive, with what may stand before and behind it.
func (r *reader) path(l line, p project, text string) (Requirement, error) {
	file, extras := cutExtras(text)
	if extras != "" {
		s := &scanner{text: extras}
		if err := s.extras(&p); err != nil {
			return Requirement{}, err
		}
	}
	clean, err := plainLocal(".", file)
	if err == nil {
		err = r.archive(l, clean)
	}
	if err != nil {
		return Requirement{}, fmt.Errorf("%s %w", quote(file), err)
	}
	if p, err = p.orOf(clean); err != nil {
		return Requirement{}, err
	}
	return Requirement{Line: pathLine(p, clean), Name: Normal(p.name), Kind: Path, Path: clean}, nil
}

// pathLine writes the canonical form. A wheel's own name says what it is of.
func pathLine(p project, clean string) string {
	if p.name != "" && !isWheel(clean) {
		return p.String() + " @ file:" + clean
	}
	return "./" + clean + p.list()
}

// archive checks that a path leads to an archive. As in pip, it leads there
// from where pip runs, wherever the file stands that holds it.
func (r *reader) archive(l line, clean string) error {
	info, err := r.stat(clean)
	if err != nil {
		beside := path.Join(path.Dir(l.file), clean)
		if _, elsewhere := r.stat(beside); elsewhere == nil {
			return fault.WithHint(err, fmt.Sprintf("paths begin at the folder of image.toml: write %q", "./"+beside))
		}
		return err
	}
	if info.IsDir() {
		return fault.WithHint(errors.New("is a folder, and a requirement file only installs archives"),
			fmt.Sprintf("let image.toml install it: [python] sources = [%q]", clean))
	}
	if !isArchive(clean) {
		return errors.New("is not an archive (.whl, .tar.gz, .zip, …)")
	}
	return nil
}
