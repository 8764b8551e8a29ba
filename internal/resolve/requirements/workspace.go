package requirements

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
)

// workspaceOf returns the directory of the workspace whose member the project in dir is,
// and whose uv.lock it shares; dir if there is none. As in uv, only the nearest
// pyproject.toml above can have it.
func (r *reader) workspaceOf(dir string) string {
	if _, root := r.projects[dir].Tool.UV["workspace"]; root {
		return dir
	}
	for top := dir; top != "."; {
		top = path.Dir(top)
		p, err := r.pyproject(top)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if p.includes(strings.TrimPrefix(dir, top+"/")) {
			return top
		}
		break
	}
	return dir
}

// includes reports whether the workspace whose root is p has a member in dir, relative to
// the root.
func (p pyproject) includes(dir string) bool {
	return p.matches("members", dir) && !p.matches("exclude", dir)
}

// matches reports whether a pattern of the workspace under a key matches dir. Unlike in a
// walk, * crosses slashes: uv matches a whole path so.
func (p pyproject) matches(key, dir string) bool {
	return slices.ContainsFunc(p.workspace(key), func(glob string) bool {
		e, err := expression(glob)
		return err == nil && e.MatchString(dir)
	})
}

// workspace returns the patterns of the workspace whose root is p, under a key.
func (p pyproject) workspace(key string) (globs []string) {
	workspace, _ := p.Tool.UV["workspace"].(map[string]any)
	for _, glob := range texts(workspace[key]) {
		globs = append(globs, path.Clean(glob))
	}
	return globs
}

// members lists the pyproject.toml files of the workspace whose root is p in dir.
func (p pyproject) members(root fs.FS, dir string) (list []string, err error) {
	for _, glob := range p.workspace("members") {
		found, err := walk(root, dir, strings.Split(glob, "/"))
		if err != nil {
			return nil, fmt.Errorf("%s: workspace member %q: %w", path.Join(dir, manifest), glob, err)
		}
		for _, member := range found {
			name := path.Join(member, manifest)
			if regular(root, name) && !p.matches("exclude", strings.TrimPrefix(member, dir+"/")) {
				list = append(list, name)
			}
		}
	}
	return list, nil
}

// walk lists what the components of a glob lead to from dir. ** stands for directories at
// any depth, though not behind symbolic links, which may form a cycle.
func walk(root fs.FS, dir string, glob []string) ([]string, error) {
	if len(glob) == 0 {
		return []string{dir}, nil
	}
	rest := glob[1:]
	if glob[0] == "." || glob[0] == ".." {
		return walk(root, path.Join(dir, glob[0]), rest)
	}
	name, err := expression(glob[0])
	if err != nil {
		return nil, err
	}
	deep := glob[0] == "**"
	var list []string
	if deep && len(rest) > 0 {
		list, err = walk(root, dir, rest)
	}
	entries, _ := fs.ReadDir(root, dir) // none of a file
	for _, entry := range entries {
		below := path.Join(dir, entry.Name())
		var found []string
		switch {
		case err != nil:
		case deep && entry.IsDir():
			if found, err = walk(root, below, glob); len(rest) == 0 {
				found = append(found, below)
			}
		case !deep && name.MatchString(entry.Name()):
			found, err = walk(root, below, rest)
		}
		list = append(list, found...)
	}
	return list, err
}

var (
	globToken   = regexp.MustCompile(`\*\*/|\*+|\?|\[!?.[^]]*\]|\[|[^*?[]+`)
	classEscape = strings.NewReplacer(`\`, `\\`, `[`, `\[`, `]`, `\]`, `^`, `\^`)
)

// expression returns the regular expression for a glob of uv (https://docs.rs/glob), which
// has no escapes.
func expression(glob string) (*regexp.Regexp, error) {
	text := globToken.ReplaceAllStringFunc(glob, func(token string) string {
		switch {
		case token == "**/":
			return "(?:.*/)?"
		case token[0] == '*':
			return ".*"
		case token == "?":
			return "."
		case token == "[":
			return token // without its ], which is an error
		case token[0] != '[':
			return regexp.QuoteMeta(token)
		}
		class, not := strings.CutPrefix(token[1:len(token)-1], "!")
		if not {
			return "[^" + classEscape.Replace(class) + "]"
		}
		return "[" + classEscape.Replace(class) + "]"
	})
	e, err := regexp.Compile("^(?:" + text + ")$")
	if err != nil {
		return nil, path.ErrBadPattern
	}
	return e, nil
}
