package lock

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

var (
	projectName = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	fileName    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._+!-]*$`)
)

// IsFileName says whether a lock can have a distribution's file called so.
func IsFileName(name string) bool { return fileName.MatchString(name) }

func (d Distribution) check() error {
	var f faults
	f.when(!projectName.MatchString(d.Name) || d.Version == "", "name must be normalised and version must be given")
	if _, commit, below, ok := d.Git(); ok {
		f.when(!gitCommit.MatchString(commit) || d.File != "" || d.Size != 0 || d.SHA256 != "", "%q names no commit, or is a file as well", d.URL)
		f.when(below != "" && !staysBelow(below), "subdirectory %q does not stay in its tree", below)
		return errors.Join(append(f, checkURL(d.URL))...)
	}
	f.when(!fileName.MatchString(d.File), "file %q is not a file's name", d.File)
	f.when(!isSHA256(d.SHA256), "%q is not a sha256", d.SHA256)
	f.when(d.Size <= 0 || d.Unpacked < 0, "size %d or unpacked %d is not positive", d.Size, d.Unpacked)
	_, below := d.Archive()
	f.when(below != "" && (d.IsWheel() || !staysBelow(below)), "subdirectory %q does not stay in its archive", below)
	if d.Index != "" {
		f = append(f, checkURL(d.Index))
	}
	for _, top := range d.Top {
		f.when(!staysBelow(top) || strings.Contains(top, "/"), "top-level name %q is none", top)
	}
	return errors.Join(append(f, checkURL(d.URL))...)
}

// checkTwins finds sets that hold two versions of one project.
func (l Lock) checkTwins() (f faults) {
	seen := map[[2]string]bool{}
	for _, d := range l.Distributions {
		for _, s := range d.For {
			key := [2]string{s.String(), d.Name}
			f.when(seen[key], "distribution %s: set %q holds it twice", d.Name, s)
			seen[key] = true
		}
	}
	return f
}

func (u UV) check() error {
	if u.Version == "" || !fileName.MatchString(u.File) || !isSHA256(u.SHA256) || u.Size <= 0 {
		return fmt.Errorf("uv: version %q, file %q, size %d or sha256 %q is none", u.Version, u.File, u.Size, u.SHA256)
	}
	return checkURL(u.URL)
}
