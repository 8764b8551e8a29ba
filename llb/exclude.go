package llb

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

// Exclude is a list of globs of absolute paths that an image leaves out, as in a .dockerignore:
// * stays within a name, ** does not, a glob that matches a directory matches everything in
// it, and one after ! includes again what an earlier one matched.
type Exclude []string

// Matcher returns a function that reports whether the globs leave out a path: the last one
// that matches it decides.
func (e Exclude) Matcher() func(path string) bool {
	type rule struct {
		match *regexp.Regexp
		keep  bool
	}
	rules := make([]rule, 0, len(e))
	for _, written := range slices.Backward(e) {
		glob, keep := strings.CutPrefix(written, "!")
		if re, err := regexp.Compile("^(?s:" + expandGlob(strings.TrimRight(glob, "/")) + ")$"); err == nil {
			rules = append(rules, rule{re, keep})
		}
	}
	return func(path string) bool {
		i := slices.IndexFunc(rules, func(r rule) bool { return r.match.MatchString(path) })
		return i >= 0 && !rules[i].keep
	}
}

// script returns commands that remove what the globs match: files first, then the directories
// left empty. It runs in the exec. The patterns of a copy would give the directories of what a
// ! includes again the time of the build, and dpkg can't do it either: a package may read its
// documentation while it is configured. A link to a directory is kept as long as the directory
// if a ! includes something in it, like the copyright of a package that shares another
// one's documentation.
func (e Exclude) script() string {
	if len(e) == 0 {
		return ""
	}
	find := "find / -xdev -regextype posix-extended "
	return find + "! -type d " + e.expression() + " ! " + e.passages() + " -delete\n" +
		find + "-depth -type d -empty " + e.expression() + " -delete\n" +
		find + "-xtype l " + e.expression() + " " + e.passages() + " -delete\n"
}

// passages returns a test of find(1) for links to directories, or to nothing any more, that
// lead to what a ! includes again.
func (e Exclude) passages() string {
	tests := []string{"-false"}
	for _, glob := range e {
		if keep, ok := strings.CutPrefix(glob, "!"); ok {
			tests = append(tests, "-regex "+quoteShell(strings.TrimSuffix(expandGlob(path.Dir(keep)), "(/.*)?")))
		}
	}
	return `\( -type l ! -xtype f \( ` + strings.Join(tests, " -o ") + ` \) \)`
}

// expression combines the globs into one test of find(1): the last one that matches a path
// decides.
func (e Exclude) expression() string {
	test := "-false"
	for _, glob := range e {
		if keep, ok := strings.CutPrefix(glob, "!"); ok {
			test = `\( ` + test + " ! -regex " + quoteShell(expandGlob(keep)) + ` \)`
		} else {
			test = `\( ` + test + " -o -regex " + quoteShell(expandGlob(glob)) + ` \)`
		}
	}
	return test
}

// below returns the globs that may match something below one of the directories.
func (e Exclude) below(directories ...string) (list Exclude) {
	for _, glob := range e {
		literal := glob
		if i := strings.IndexAny(glob, "*?"); i >= 0 {
			literal = glob[:i]
		}
		if slices.ContainsFunc(directories, func(f string) bool { return strings.HasPrefix(f, literal) || strings.HasPrefix(literal, f) }) {
			list = append(list, glob)
		}
	}
	return list
}

// kept returns a shell function that reports whether one of the globs matches a path.
func (e Exclude) kept() string {
	if len(e) == 0 {
		return "kept() { false; }\n"
	}
	var tests strings.Builder
	for _, glob := range e {
		tests.WriteString(" -e " + quoteShell(expandGlob(glob)))
	}
	return `kept() { printf '%s\n' "$1" | grep -Eqx` + tests.String() + "; }\n"
}

// expandGlob turns a glob into an extended regular expression for the whole path.
func expandGlob(glob string) string {
	var re strings.Builder
	for rest := glob; rest != ""; {
		switch {
		case strings.HasPrefix(rest, "**/"):
			re.WriteString("(.*/)?")
			rest = rest[3:]
		case strings.HasPrefix(rest, "**"):
			re.WriteString(".*")
			rest = rest[2:]
		case rest[0] == '*':
			re.WriteString("[^/]*")
			rest = rest[1:]
		case rest[0] == '?':
			re.WriteString("[^/]")
			rest = rest[1:]
		default:
			re.WriteString(regexp.QuoteMeta(rest[:1]))
			rest = rest[1:]
		}
	}
	return re.String() + "(/.*)?"
}

func quoteShell(s string) string {
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
