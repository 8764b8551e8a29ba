package cases

import (
	_ "embed"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// installed has the names of the cases that install.
//
//go:embed python.txt
var installed string

// distributions returns the cases of Python packages. The right result of most is that
// they lock, build and run their smoke tests; of the others, that the lock refuses them or
// says what is odd. Cases that their own server can't serve are left out: it doesn't say
// what is yanked (yanked-and-pre), and has no backend that asks git (git-hatch-vcs,
// git-setuptools-scm and git-setuptools-scm-git).
func distributions() []aCase {
	var sets []aCase
	for name, text := range map[string]string{
		"bad-entry": "alpha", "conda-freeze": "croot", "editable-dot": `sources = \["\."\]`, "entry-case": "alpha.*beta|beta.*alpha", "git-dependency-pinned": `overrides = \["clip @ git`,
		"git-dependency-unpinned": "clip @ git", "module-hint": "hint: ", "musl-only": "alpha", "pylock-no-packages": `packages`, "pylock-project": `sources = \["\."\]`, "pylock-twice": "alpha", "requires-python-none": "requirements.txt", "sdist-abs-link": "link",
		"sdist-git-version": "hint: ", "sdist-stray-file": "does not appear to be a Python project", "sdist-wrong-name": "beta", "sdist-wrong-version": "2.0",
		"url-archive-nameless": "build-requires", "url-dependency": `dep @ http`, "uv-user": "hash|sha256",
		"sdist-zip": "PEP 625", "zip-slip": `\.\./`,
	} {
		sets = append(sets, aCase{"python/" + name, "the lock is refused, exit 2: " + text, lockRefused(text)})
	}
	for name := range strings.FieldsSeq(installed) {
		sets = append(sets, aCase{"python/" + name, "builds, and its smoke tests pass", installs("")})
	}
	sets = append(sets,
		aCase{"python/extra-unknown", "builds, and the lock says: gqu", installs("gqu")},
		aCase{"python/export-all", "builds; its exported lock builds, too", (*call).exported},
		aCase{"python/sdist-downloads", "refused, and says that the network is off", (*call).downloads},
	)
	slices.SortFunc(sets, func(a, b aCase) int { return strings.Compare(a.name, b.name) })
	return sets
}

// distributionIndexes serves the indexes and git repositories of all Python cases.
func (c *call) distributionIndexes() {
	c.serve("127.0.0.1:8765", filepath.Join(c.cases, "python", "serve"))
	c.env = append(c.env, "PIP_FIND_LINKS=", "UV_DEFAULT_INDEX=http://127.0.0.1:8765/first/simple")
}

// lockRefused requires that the project can't be locked, for a reason.
func lockRefused(reason string) func(*call) []row {
	return func(c *call) []row {
		c.distributionIndexes()
		o := c.build(c.dir, "lock")
		return []row{{seen: o.String(), ok: o.code == 2 && regexp.MustCompile(reason).MatchString(o.stderr)}}
	}
}

// installs requires an image, and what the lock must say.
func installs(said string) func(*call) []row {
	return func(c *call) []row {
		c.distributionIndexes()
		o := c.build(c.dir, "lock")
		told := strings.Contains(o.stderr, said)
		if o.code == 0 {
			o = c.build(c.dir, "--progress", "plain")
		}
		seen := o.String()
		if !told {
			seen += ", and the lock doesn't say it"
		}
		return []row{{seen: seen, ok: o.code == 0 && told}}
	}
}

// exported builds from the project's own lock and from what it exports.
func (c *call) exported() []row {
	first := installs("")(c)[0]
	first.what = "builds"
	if !first.ok {
		return []row{first}
	}
	o := c.build(c.dir, "lock", "--export", "pylock.toml")
	if o.code == 0 {
		c.edit(`requirements = ["requirements.txt"]`, `lock = "pylock.toml"`)
		c.lock(c.dir)
		o = c.build(c.dir, "--progress", "plain")
	}
	return []row{first, {what: "exported", seen: o.String(), ok: o.code == 0}}
}

// downloads accepts a refusal by the lock or by the build.
func (c *call) downloads() []row {
	c.distributionIndexes()
	o := c.build(c.dir, "--progress", "plain")
	return []row{{seen: o.String(), ok: (o.code == 1 || o.code == 2) && strings.Contains(o.stderr, "network") && !hasImage(c.dir)}}
}
