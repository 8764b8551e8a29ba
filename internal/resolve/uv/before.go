package uv

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"lamina.build/internal/resolve/reqfile"
	"lamina.build/lock"
)

// versions are the versions of an earlier lock, for a new one to keep.
type versions struct {
	lock    lock.Lock
	upgrade Upgrade
}

// Upgrade selects the versions of a lock to replace. Its zero value keeps all that still
// answer the spec.
type Upgrade struct {
	All      bool
	Packages []string // names of projects
}

// normal returns u with normalized names.
func (u Upgrade) normal() Upgrade {
	names := make([]string, len(u.Packages))
	for i, name := range u.Packages {
		names[i] = normal(name)
	}
	return Upgrade{u.All, names}
}

// asksAnew reports whether uv must request cached pages again. A file may pass the door only
// if its page did, or if the earlier lock has it.
func (v versions) asksAnew(set lock.Set) bool {
	return v.upgrade.All || len(v.upgrade.Packages) > 0 || len(v.set(set)) == 0
}

// in returns the distributions of a set to keep where possible.
func (v versions) in(set lock.Set) []lock.Distribution {
	if v.upgrade.All {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(v.set(set)), func(d lock.Distribution) bool { return slices.Contains(v.upgrade.Packages, d.Name) })
}

// set returns the distributions of exactly that set, not of one that a variant falls back to.
func (v versions) set(set lock.Set) []lock.Distribution {
	var in []lock.Distribution
	for _, d := range v.lock.Distributions {
		if slices.Contains(d.For, set) {
			in = append(in, d)
		}
	}
	return in
}

// license returns the license of a file that stays.
func (v versions) license(e lock.Distribution) string {
	i := slices.IndexFunc(v.lock.Distributions, func(old lock.Distribution) bool { return id(old) == id(e) })
	if i < 0 {
		return ""
	}
	return v.lock.Distributions[i].License
}

// stays reports whether the earlier lock has a file that is not to be upgraded.
func (v versions) stays(d *distribution) bool {
	is := func(e lock.Distribution) bool { return id(e) == id(d.entry()) && e.Index == d.Index }
	return !v.upgrade.All && !slices.Contains(v.upgrade.Packages, d.Name) && slices.ContainsFunc(v.lock.Distributions, is)
}

// page returns the page from which a file that stays was chosen.
func (v versions) page(d *distribution) (lock.Page, bool) {
	if !v.stays(d) {
		return lock.Page{}, false
	}
	return v.lock.Page(d.Index, d.Name)
}

// files returns the addresses of a set: uv may have the page that names them cached, so that
// it doesn't pass the door.
func (v versions) files(set lock.Set) []string {
	var at []string
	for _, d := range v.set(set) {
		if address := cleaned(d.URL); address != "" {
			at = append(at, address)
		}
	}
	return at
}

// texts returns the versions to keep in uv's format: a pylock.toml for the set itself, by
// "", and one for the build requirements of each project, by its name.
func (v versions) texts(r Request) map[string]string {
	texts := map[string]string{"": pins(v.in(r.Set), v.refs(r))}
	for set := range v.builds(r) {
		texts[set.Project] = pins(v.in(set), nil)
	}
	maps.DeleteFunc(texts, func(_, text string) bool { return text == "" })
	return texts
}

// builds returns the sets of build requirements of a request's projects.
func (v versions) builds(r Request) map[lock.Set]bool {
	sets := map[lock.Set]bool{}
	for _, d := range v.lock.Distributions {
		for _, set := range d.For {
			if set.Kind == lock.SetBuild && set.Variant == r.Set.Variant {
				sets[set] = true
			}
		}
	}
	return sets
}

// refs returns the revisions by which r names the commits of the earlier lock, by repository
// and directory: uv keeps a commit only for the revision of the earlier request.
func (v versions) refs(r Request) map[[2]string]string {
	refs, lines := map[[2]string]string{}, v.lines(r.Set)
	for _, w := range slices.Concat(r.Files.Requirements, r.Files.Constraints) {
		if w.Kind == reqfile.Git && (slices.Contains(lines, w.Text()) || slices.Contains(lines, "-c "+w.Text())) {
			refs[[2]string{sshAddress.ReplaceAllString(w.URL, "https://$1/"), w.Subdirectory}] = w.Ref
		}
	}
	return refs
}

// pins returns versions as a pylock.toml; "" if there are none: uv rejects a lock without
// packages.
func pins(list []lock.Distribution, refs map[[2]string]string) string {
	var text strings.Builder
	for _, d := range list {
		remote, commit, below, git := d.Git()
		ref, asked := refs[[2]string{remote, below}]
		if git && !asked {
			continue
		}
		fmt.Fprintf(&text, "[[packages]]\nname = %q\nversion = %q\n", d.Name, d.Version)
		switch {
		case git && ref == "":
			fmt.Fprintf(&text, "vcs = { type = \"git\", url = %q, commit-id = %q }\n", remote, commit)
		case git:
			fmt.Fprintf(&text, "vcs = { type = \"git\", url = %q, requested-revision = %q, commit-id = %q }\n", remote, ref, commit)
		}
	}
	if text.Len() == 0 {
		return ""
	}
	return "lock-version = \"1.0\"\ncreated-by = \"lamina\"\n" + text.String()
}

// known returns the sdists and commits whose build requirements in the earlier lock still
// hold: the spec's own ones and the indexes that serve them may have changed since.
func (v versions) known(r Request, where Indexes) []string {
	if v.upgrade.All || len(v.upgrade.Packages) > 0 || v.lock.UV == (lock.UV{}) {
		return nil // an earlier format has only versions
	}
	var known []string
	for _, d := range v.set(r.Set) {
		told := func(line string) bool { return strings.HasPrefix(line, "build-requires "+d.Name+":") }
		elsewhere := func(e lock.Distribution) bool { return e.Index != "" && !r.mayServe(e.Index, e.Name, where) }
		build := v.set(lock.Set{Kind: lock.SetBuild, Project: d.Name, Variant: r.Set.Variant})
		if d.IsWheel() || r.BuildRequires[d.Name] != nil || slices.ContainsFunc(v.lines(r.Set), told) || slices.ContainsFunc(build, elsewhere) {
			continue
		}
		known = append(known, id(d))
	}
	return known
}

// id identifies a distribution to the script.
func id(d lock.Distribution) string {
	if _, below := d.Archive(); d.SHA256 != "" {
		return strings.TrimSuffix(d.SHA256+"#"+below, "#")
	}
	return d.URL
}

// lines returns the requirements that a set of the earlier lock answers.
func (v versions) lines(set lock.Set) []string {
	for _, r := range v.lock.Python {
		if r.Set == set {
			return r.Lines
		}
	}
	return nil
}
