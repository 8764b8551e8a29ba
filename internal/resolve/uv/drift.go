package uv

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"lamina.build/internal/resolve/door"
	"lamina.build/internal/resolve/pep508"
	"lamina.build/internal/resolve/reqfile"
	"lamina.build/lock"
)

// Drift lists what resolving the requests would never have written about distributions, one
// sentence each. A lock is a claim: its author could name any file. It doesn't have the
// requirements between distributions; the installation checks those. [Doubtful] returns
// what only an index can confirm.
func Drift(requests []Request, l lock.Lock, where Indexes) (drift []string) {
	if l.UV != (lock.UV{}) { // source trees alone need it, too
		drift = driftUV(l)
	}
	for _, o := range l.Omitted {
		if !slices.ContainsFunc(requests, func(r Request) bool { return r.Set == o.Set && slices.Contains(r.Optional, o.Requirement) }) {
			drift = append(drift, fmt.Sprintf("%s: the lock leaves out %s, which is not optional", o.Set, o.Requirement))
		}
	}
	for _, r := range requests {
		drift = append(drift, newClaim(r, l, where).drift()...)
	}
	return drift
}

// driftUV requires the uv that this program pins. Its address doesn't matter: the sha256
// identifies it.
func driftUV(l lock.Lock) []string {
	want, err := uvWheel(l.Platform)
	have := l.UV
	have.URL = want.URL
	if err != nil || have == want {
		return nil
	}
	return []string{fmt.Sprintf("uv: the lock has %s with sha256 %s; this program uses uv %s", l.UV.File, l.UV.SHA256, want.Version)}
}

// claim is the part of a lock that answers one request.
type claim struct {
	Request
	lock   lock.Lock
	where  Indexes
	direct map[string]string // of Request.direct
	have   map[string]lock.Distribution
	env    pep508.Environment
}

func newClaim(r Request, l lock.Lock, where Indexes) claim {
	c := claim{Request: r, lock: l, where: where, direct: r.direct(), have: map[string]lock.Distribution{}, env: environment(l, r.Set.Variant)}
	for _, d := range l.Distributions {
		if slices.Contains(d.For, r.Set) {
			c.have[d.Name] = d
		}
	}
	return c
}

// environment returns the marker environment of a lock's Python.
func environment(l lock.Lock, variant string) pep508.Environment {
	machine := map[string]string{"linux/amd64": "x86_64", "linux/arm64": "aarch64"}[l.Platform]
	runtime := l.In(lock.SetRuntime, variant)
	meta, _ := lock.Find(runtime, "python3")
	version := release.FindString(meta.Version)
	if parts := strings.Split(version, "."); len(parts) > 1 {
		version = parts[0] + "." + parts[1]
		if whole, ok := lock.Find(runtime, "python"+version); ok {
			version = release.FindString(whole.Version)
		}
	}
	return pep508.Linux(version, machine)
}

// release matches Python's version in Debian's.
var release = regexp.MustCompile(`^\d+\.\d+(\.\d+)?`)

// concerns reports whether d is for the request, or a build requirement of it.
func (c claim) concerns(d lock.Distribution) bool {
	return slices.ContainsFunc(d.For, func(s lock.Set) bool {
		return s == c.Set || s.Kind == lock.SetBuild && s.Variant == c.Set.Variant
	})
}

func (c claim) drift() (drift []string) {
	say := func(format string, args ...any) {
		drift = append(drift, fmt.Sprintf(c.Set.String()+": "+format, args...))
	}
	locked := c.lockFile()
	for _, d := range c.lock.Distributions {
		if !c.concerns(d) {
			continue
		}
		for _, problem := range []string{c.unlike(d, locked), c.origin(d)} {
			if problem != "" {
				say("%s: %s", title(d), problem)
			}
		}
		if _, own := c.have[d.Name]; !own || !slices.Contains(d.For, c.Set) {
			continue
		}
		for _, problem := range []string{c.decided(d), locked.problem(d)} {
			if problem != "" {
				say("%s: %s", title(d), problem)
			}
		}
	}
	for _, w := range c.Files.Requirements {
		c.answers(w, c.have, true, func(problem string) { say("%s:%d: %s", w.File, w.At, problem) })
	}
	for _, w := range c.Files.Constraints {
		c.answers(w, c.have, false, func(problem string) { say("%s:%d: %s", w.File, w.At, problem) })
	}
	for _, w := range c.Declared { // Debian may provide what a tree lacks
		c.answers(w, c.have, len(c.Sources) == 0, func(problem string) { say("%s: %s", w.File, problem) })
	}
	for _, text := range c.Overrides {
		if w, err := reqfile.Parse(text); err == nil {
			w.Name = lock.NormalName(w.Name)
			c.admits(w, c.have, func(problem string) { say("overrides: %s", problem) })
		}
	}
	c.builds(say)
	return drift
}

// builds checks the build requirements of the spec against the locked ones.
func (c claim) builds(say func(string, ...any)) {
	for project, lines := range c.BuildRequires {
		d, isLocked := c.have[project]
		if _, isTree := c.Sources[project]; !isTree && (!isLocked || d.IsWheel()) {
			continue
		}
		have := map[string]lock.Distribution{}
		for _, d := range c.lock.Distributions {
			if slices.Contains(d.For, lock.Set{Kind: lock.SetBuild, Project: project, Variant: c.Set.Variant}) {
				have[d.Name] = d
			}
		}
		for _, text := range lines {
			if w, err := reqfile.Parse(text); err == nil {
				c.present(w, have, func(problem string) { say("build-requires %s: %s", project, problem) })
			}
		}
	}
}

// answers requires the lock to satisfy a requirement, unless the spec overrides or excludes
// its project. If must is false, the project may be missing.
func (c claim) answers(w reqfile.Requirement, have map[string]lock.Distribution, must bool, say func(string)) {
	overridden := func(text string) bool {
		other, err := reqfile.Parse(text)
		return err == nil && other.Name == w.Name
	}
	isOmitted := func(o lock.Omission) bool { return o.Set == c.Set && o.Requirement == w.Name }
	switch {
	case slices.Contains(c.Excludes, w.Name), slices.ContainsFunc(c.Overrides, overridden):
	case !must, slices.Contains(c.Optional, w.Name) && slices.ContainsFunc(c.lock.Omitted, isOmitted):
		c.admits(w, have, say)
	default:
		c.present(w, have, say)
	}
}

// present requires the project of a requirement to be locked, and to satisfy it.
func (c claim) present(w reqfile.Requirement, have map[string]lock.Distribution, say func(string)) {
	_, there := have[w.Name]
	if w.Name == "" { // its address has no name
		there = slices.ContainsFunc(slices.Collect(maps.Values(have)), func(d lock.Distribution) bool { return isAt(d, w) })
	}
	if !there && c.env.Holds(w.Marker) == pep508.Yes {
		say(fmt.Sprintf("%s is not locked", w.Line))
		return
	}
	c.admits(w, have, say)
}

// admits requires the project of a requirement, if locked, to satisfy it.
func (c claim) admits(w reqfile.Requirement, have map[string]lock.Distribution, say func(string)) {
	d, ok := have[w.Name]
	if !ok || c.env.Holds(w.Marker) != pep508.Yes {
		return
	}
	switch {
	case w.Kind != reqfile.Named && !isAt(d, w):
		say(fmt.Sprintf("%s is required, but %s is locked from %s", w.Line, title(d), d.URL))
	case w.Kind == reqfile.Named && !pep508.Admits(w.Specifiers, d.Version):
		say(fmt.Sprintf("%s is required, but %s is locked", w.Line, title(d)))
	}
}

// isAt reports whether d is the file or the repository that a requirement names.
func isAt(d lock.Distribution, w reqfile.Requirement) bool {
	address, below := d.Archive()
	switch w.Kind {
	case reqfile.Path:
		return address == "file:"+w.Path
	case reqfile.URL:
		return door.Key(address) == door.Key(w.URL) && below == w.Subdirectory
	}
	remote, commit, below, ok := d.Git()
	bare := func(address string) string {
		return strings.TrimSuffix(strings.TrimRight(cleaned(address), "/"), ".git")
	}
	return ok && bare(remote) == bare(w.URL) && below == w.Subdirectory && (!lock.IsCommit(w.Ref) || w.Ref == commit)
}

// decided returns why the options of the request forbid d, or "".
func (c claim) decided(d lock.Distribution) string {
	hashes := c.hashes(d.Name, d.URL)
	isOther := func(hash string) bool { return !strings.HasPrefix(hash, "sha256:") }
	isIts := func(hash string) bool { return strings.EqualFold(hash, "sha256:"+d.SHA256) }
	_, _, _, isGit := d.Git()
	switch {
	case slices.Contains(c.Excludes, d.Name):
		return "the spec excludes it"
	// Hashes of other kinds were checked at locking; the lock doesn't have them.
	case len(hashes) > 0 && !slices.ContainsFunc(hashes, isOther) && !slices.ContainsFunc(hashes, isIts):
		return "its sha256 is " + d.SHA256 + ", which matches none of the --hash options of its line"
	case len(hashes) == 0 && slices.Contains(c.Files.Options, "--require-hashes"):
		return "--require-hashes requires a --hash for everything, but no line has one for this"
	case !isGit && !d.IsWheel() && c.wants("--only-binary", d.Name):
		return "it is not a wheel, and --only-binary requires one"
	case d.IsWheel() && c.Lock == "" && d.Index != "" && c.wants("--no-binary", d.Name):
		return "it is a wheel, and --no-binary forbids one"
	}
	return ""
}

// wants reports whether an option applies to a project; its name overrides ":all:".
func (c claim) wants(option, project string) bool {
	has := func(name, word string) bool { return slices.Contains(c.Files.Options, name+"="+word) }
	other := map[string]string{"--only-binary": "--no-binary", "--no-binary": "--only-binary"}[option]
	return has(option, project) || has(option, lock.NormalName(":all:")) && !has(other, project)
}

func title(d lock.Distribution) string { return d.Name + " " + d.Version }
