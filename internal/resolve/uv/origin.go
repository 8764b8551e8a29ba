package uv

import (
	"fmt"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"lamina.build/internal/resolve/door"
	"lamina.build/internal/resolve/pep508"
	"lamina.build/internal/resolve/reqfile"
	"lamina.build/lock"
)

// unlike returns why d can't be a file of its project and version, or "".
func (c claim) unlike(d lock.Distribution, locked lockFile) string {
	_, _, _, isGit := d.Git()
	fits := isGit
	switch {
	case d.IsWheel():
		_, rest, _ := strings.Cut(d.File, "-")
		version, _, _ := strings.Cut(rest, "-")
		public, _, _ := strings.Cut(version, "+")
		fits = door.IsFileOf(d.File, d.Name) && (pep508.SameVersion(d.Version, version) || pep508.SameVersion(d.Version, public))
	case d.Index != "":
		fits = door.IsFileOf(d.File, d.Name) && archive.MatchString(d.File)
	}
	if address, _ := d.Archive(); d.Index == "" && !isGit {
		name, isLocal := d.Local()
		if own, err := url.Parse(address); err == nil && !isLocal {
			name = own.Path
		}
		fits = (fits || !d.IsWheel()) && (path.Base(name) == d.File || locked.has(d.Name, d.File))
	}
	if fits {
		return ""
	}
	return fmt.Sprintf("%q is not a file of it", d.File)
}

// archive matches the files that an index has besides wheels.
var archive = regexp.MustCompile(`(?i)\.(zip|tgz|tbz|txz|tlz|tar(\.\w+)?)$`)

// origin returns why the request can't lead to the address of d, or "".
func (c claim) origin(d lock.Distribution) string {
	remote, _, _, isGit := d.Git()
	local, isLocal := d.Local()
	switch {
	case isGit:
		for named := range c.direct {
			if key(hostOf(named)) == key(hostOf(remote)) {
				return ""
			}
		}
		return fmt.Sprintf("no requirement names the host of %s", remote)
	case isLocal:
		if c.namesFile(local) && (d.Index == "" || c.Lock != "") {
			return ""
		}
		return fmt.Sprintf("no requirement names the file %s", local)
	case c.isDirect(d) && (d.Index == "" || c.Lock != "" || c.mayServe(d.Index, d.Name, c.where)): // a pylock.toml may name any index
		return ""
	case c.isDirect(d):
		return fmt.Sprintf("the spec names its address, but no index %s", d.Index)
	case d.Index == "":
		return fmt.Sprintf("no requirement names %s", d.URL)
	case strings.TrimRight(d.Index, "/") == DefaultIndex && isForeign(d):
		return fmt.Sprintf("PyPI has no such file at %s", d.URL)
	}
	return ""
}

// isDirect reports whether the request names the address of d.
func (c claim) isDirect(d lock.Distribution) bool {
	address, _ := d.Archive()
	name, named := c.direct[door.Key(address)]
	return named && (name == "" || name == d.Name)
}

// namesFile reports whether the request names a file next to the spec.
func (c claim) namesFile(name string) bool {
	isPath := func(w reqfile.Requirement) bool { return w.Kind == reqfile.Path && w.Path == name }
	return slices.ContainsFunc(c.Files.Requirements, isPath) || slices.ContainsFunc(c.Files.Constraints, isPath) ||
		slices.Contains(c.Files.FindLinks, path.Dir(name)) || slices.Contains(c.ProjectFiles, name)
}

// pypiFiles is the host of PyPI's files, which most mirrors link to, too. Files uploaded
// there must have the name of a project of the uploader.
const pypiFiles = "files.pythonhosted.org"

// isForeign reports whether the file of d is on another server than its index; PyPI's files
// are all on one host.
func isForeign(d lock.Distribution) bool {
	file, err := url.Parse(d.URL)
	index, indexErr := url.Parse(d.Index)
	if err != nil || indexErr != nil || index.Scheme == "https" && file.Scheme != "https" {
		return true
	}
	if file.Host == pypiFiles && path.Base(file.Path) == d.File {
		return false
	}
	return file.Host != index.Host || strings.TrimRight(d.Index, "/") == DefaultIndex
}
