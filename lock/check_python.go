package lock

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
)

// CommitPattern is how git names a commit, as a regular expression.
const CommitPattern = `[0-9a-f]{40}`

var (
	projectName = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	fileName    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._+!-]*$`)
	gitCommit   = regexp.MustCompile(`^` + CommitPattern + `$`)
)

// IsFileName says whether a lock can have a distribution's file called so.
func IsFileName(name string) bool { return fileName.MatchString(name) }

// checkPython reports every Python entry that no resolver writes.
func (l Lock) checkPython() error {
	var faults []error
	for _, d := range l.Distributions {
		if err := errors.Join(d.check(), l.checkSets(d.For, true), d.checkBuild()); err != nil {
			faults = append(faults, fmt.Errorf("distribution %s %s: %w", d.Name, d.Version, err))
		}
	}
	if !slices.IsSortedFunc(l.Distributions, compareDistributions) {
		faults = append(faults, errors.New("distributions are not sorted by name, version and file"))
	}
	return errors.Join(append(faults, l.checkTwins()...)...)
}

func (d Distribution) check() error {
	var faults []error
	if !projectName.MatchString(d.Name) || d.Version == "" {
		faults = append(faults, errors.New("name must be normalised and version must be given"))
	}
	if _, commit, below, ok := d.Git(); ok {
		if !gitCommit.MatchString(commit) || d.File != "" || d.Size != 0 || d.SHA256 != "" {
			faults = append(faults, fmt.Errorf("%q names no commit, or is a file as well", d.URL))
		}
		if below != "" && !staysBelow(below) {
			faults = append(faults, fmt.Errorf("subdirectory %q does not stay in its tree", below))
		}
		return errors.Join(append(faults, checkURL(d.URL))...)
	}
	if !fileName.MatchString(d.File) {
		faults = append(faults, fmt.Errorf("file %q is not a file's name", d.File))
	}
	if !hexSHA256.MatchString(d.SHA256) {
		faults = append(faults, fmt.Errorf("%q is not a sha256", d.SHA256))
	}
	if d.Size <= 0 || d.Unpacked < 0 {
		faults = append(faults, fmt.Errorf("size %d or unpacked %d is not positive", d.Size, d.Unpacked))
	}
	if _, below := d.Archive(); below != "" && (d.IsWheel() || !staysBelow(below)) {
		faults = append(faults, fmt.Errorf("subdirectory %q does not stay in its archive", below))
	}
	if d.Index != "" {
		faults = append(faults, checkURL(d.Index))
	}
	for _, top := range d.Top {
		if !staysBelow(top) || strings.Contains(top, "/") {
			faults = append(faults, fmt.Errorf("top-level name %q is none", top))
		}
	}
	return errors.Join(append(faults, checkURL(d.URL))...)
}

// checkUV wants the program that installs distributions wherever there are any.
func (l Lock) checkUV() error {
	switch {
	case l.UV == (UV{}) && len(l.Distributions) == 0:
		return nil
	case l.UV.Version == "" || !fileName.MatchString(l.UV.File) || !hexSHA256.MatchString(l.UV.SHA256) || l.UV.Size <= 0:
		return fmt.Errorf("uv: version %q, file %q, size %d or sha256 %q is none", l.UV.Version, l.UV.File, l.UV.Size, l.UV.SHA256)
	}
	return checkURL(l.UV.URL)
}

// checkURL wants an address that says nothing about who asks.
func checkURL(address string) error {
	if local, ok := strings.CutPrefix(address, "file:"); ok {
		if !staysBelow(local) {
			return fmt.Errorf("%q does not stay beside the spec", address)
		}
		return nil
	}
	u, err := url.Parse(strings.TrimPrefix(address, "git+"))
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return fmt.Errorf("url %q is neither http nor https", address)
	case u.User != nil:
		return fmt.Errorf("url %q holds a login", u.Redacted())
	}
	return nil
}

func staysBelow(p string) bool {
	return p != "." && path.Clean(p) == p && !path.IsAbs(p) && p != ".." && !strings.HasPrefix(p, "../")
}

// checkBuild wants what something is built with to need no building.
func (d Distribution) checkBuild() error {
	var faults []error
	for _, s := range d.For {
		if s.Kind == SetBuild && !d.IsWheel() {
			faults = append(faults, fmt.Errorf("set %q is to build with what has to be built itself", s))
		}
	}
	return errors.Join(faults...)
}

// checkTwins finds sets that hold two versions of one project.
func (l Lock) checkTwins() []error {
	var faults []error
	type place struct {
		set  Set
		name string
	}
	seen := map[place]bool{}
	for _, d := range l.Distributions {
		for _, set := range d.For {
			if key := (place{set, d.Name}); seen[key] {
				faults = append(faults, fmt.Errorf("distribution %s: set %q holds it twice", d.Name, set))
			} else {
				seen[key] = true
			}
		}
	}
	return faults
}
