package requirements

import (
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"
)

// isArchive tells by its ending what pip would unpack.
func isArchive(name string) bool {
	name = strings.ToLower(name)
	return slices.ContainsFunc([]string{
		".whl", ".zip", ".tar.gz", ".tgz", ".tar", ".tar.bz2", ".tbz", ".tar.xz", ".txz", ".tar.lzma", ".tar.lz", ".tlz",
	}, func(ending string) bool { return strings.HasSuffix(name, ending) })
}

func isWheel(name string) bool { return strings.HasSuffix(name, ".whl") }

// wheelName reads the project from a wheel's file name
// (https://packaging.python.org/en/latest/specifications/binary-distribution-format/).
// The name of an sdist doesn't tell: 1.0.zip and release-1.0.zip are common.
func wheelName(file string) (string, error) {
	parts := strings.Split(strings.TrimSuffix(file, ".whl"), "-")
	if len(parts) < 5 || len(parts) > 6 || !isName(parts[0]) || slices.Contains(parts, "") {
		return "", fmt.Errorf("%s is not a wheel's name, NAME-VERSION-PYTHON-ABI-PLATFORM.whl", quote(file))
	}
	return Normal(parts[0]), nil
}

// orOf completes a project without name by that of the wheel it is in, and
// refuses the wheel of another one.
func (p project) orOf(file string) (project, error) {
	file = path.Base(file)
	if !isWheel(file) {
		return p, nil
	}
	name, err := wheelName(file)
	switch {
	case err != nil:
		return p, err
	case p.name == "":
		p.name = name
	case Normal(p.name) != name:
		return p, fmt.Errorf("%s is a wheel of %s, not of %s", quote(file), name, p.name)
	}
	return p, nil
}

// download reads the URL of an archive.
func download(p project, text string) (Requirement, error) {
	address, fragment, _ := strings.Cut(text, "#")
	address, err := webURL(address)
	if err != nil {
		return Requirement{}, err
	}
	parts, err := parseFragment(fragment)
	if err != nil {
		return Requirement{}, err
	}
	if p, err = p.or(parts.project); err != nil {
		return Requirement{}, err
	}
	u, err := url.Parse(address)
	if err != nil || !isArchive(u.Path) {
		return Requirement{}, fmt.Errorf("%s is not the URL of an archive (.whl, .tar.gz, .zip, …)", quote(address))
	}
	if p, err = p.orOf(u.Path); err != nil {
		return Requirement{}, err
	}
	return Requirement{
		Line: p.at(address + parts.String()), Name: Normal(p.name), Kind: URL, URL: address, Subdirectory: parts.subdirectory,
	}, nil
}
