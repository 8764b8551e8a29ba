package spec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	"github.com/pelletier/go-toml/v2"

	"lamina.build/internal/failure"
)

// pyproject is what of a pyproject.toml decides which distributions it needs:
// https://packaging.python.org/en/latest/specifications/pyproject-toml/ and the
// tables of uv.
type pyproject struct {
	BuildSystem map[string]any `toml:"build-system" json:",omitempty"`
	Project     *struct {
		Dependencies any `toml:"dependencies"`
		Optional     any `toml:"optional-dependencies"`
		Python       any `toml:"requires-python"`
		Dynamic      any `toml:"dynamic"`
	} `toml:"project"`
	Groups any `toml:"dependency-groups"`
	Tool   struct {
		UV map[string]any `toml:"uv"`
	} `toml:"tool"`
}

// maxPyproject bounds the size of a pyproject.toml, and maxUVLock that of a uv.lock.
const (
	maxPyproject = 4 << 20
	maxUVLock    = 64 << 20
)

func readPyproject(root fs.FS, dir string) (pyproject, error) {
	name := path.Join(dir, "pyproject.toml")
	data, err := readLimited(root, name, maxPyproject)
	if err = errors.Join(err, checkLogins(name, data)); err != nil {
		return pyproject{}, err
	}
	var p pyproject
	return p, unmarshal(name, data, &p)
}

// isDynamic says whether only a build backend knows what p needs.
func (p pyproject) isDynamic() bool {
	return p.Project == nil || slices.Contains(texts(p.Project.Dynamic), "dependencies")
}

// checkProject wants a project to say itself what it needs: uv is shown no more of
// it than that.
func (p pyproject) checkProject(dir string) error {
	name := path.Join(dir, "pyproject.toml")
	switch {
	case p.Project == nil && (len(p.Tool.UV) > 0 || p.Groups != nil): // the root of a workspace, or groups alone: uv knows
		return nil
	case p.Project == nil:
		err := fmt.Errorf("%s: it has no [project] table, which says what is needed", name)
		return failure.WithHint(err, fmt.Sprintf("a tree that its build backend knows is asked for by sources = [%q] under [python]", dir))
	case p.isDynamic():
		err := fmt.Errorf("%s: its dependencies are dynamic: they are not in it", name)
		return failure.WithHint(err, fmt.Sprintf("sources = [%q] under [python] asks its build backend for them", dir))
	}
	return nil
}

var loginAddress = regexp.MustCompile(`https?://[^/?#\s"']*@([^/?#\s"']+)`)

// checkLogins refuses addresses with a login: uv would be shown it with the file, and
// no lock may hold it.
func checkLogins(name string, data []byte) error {
	at := loginAddress.FindSubmatchIndex(data)
	if at == nil {
		return nil
	}
	host := data[at[2]:at[3]]
	err := fmt.Errorf("%s:%d: an address at %s holds a user's name or password", name, bytes.Count(data[:at[0]], []byte("\n"))+1, host)
	return failure.WithHint(err, fmt.Sprintf("take it out of the address, and put a login for %s into ~/.netrc", host))
}

// unmarshal reads a TOML file; what is wrong with it is told with its line.
func unmarshal(name string, data []byte, into any) error {
	err := toml.Unmarshal(data, into)
	if err == nil {
		return nil
	}
	row := 1
	if at, ok := errors.AsType[*toml.DecodeError](err); ok {
		row, _ = at.Position()
	}
	return fmt.Errorf("%s:%d: %w", name, row, err)
}

// digest is the same as long as p needs the same, whatever else changes.
func (p pyproject) digest() (digest.Digest, error) {
	data, err := json.Marshal(p)
	return digest.FromBytes(data), err
}

// files are those that uv reads of a project in dir beside its own two: those of
// the members of its workspace, what its sources name by path, and what lies in
// folders that it takes for indexes.
func (p pyproject) files(root fs.FS, dir string) ([]string, error) {
	list, err := p.members(root, dir)
	if err != nil {
		return nil, err
	}
	sources, _ := p.Tool.UV["sources"].(map[string]any)
	for _, source := range sources {
		for _, below := range paths(source) {
			name := path.Join(dir, below)
			if _, err := local(name); err != nil {
				return nil, fmt.Errorf("%s: source %q: %w", path.Join(dir, "pyproject.toml"), below, err)
			}
			if info, err := fs.Stat(root, name); err == nil && info.IsDir() {
				name = path.Join(name, "pyproject.toml")
			}
			list = append(list, name)
		}
	}
	for _, folder := range p.folders() {
		name := path.Join(dir, folder)
		if _, err := local(name); err != nil {
			return nil, fmt.Errorf("%s: index %q: %w", path.Join(dir, "pyproject.toml"), folder, err)
		}
		for _, pattern := range []string{"*.whl", "*.tar.gz", "*.zip"} {
			found, err := fs.Glob(root, path.Join(name, pattern))
			if err != nil {
				return nil, fmt.Errorf("%s: index %q: %w", path.Join(dir, "pyproject.toml"), folder, err)
			}
			list = append(list, found...)
		}
	}
	return sorted(list), nil
}

// folders are those that stand where uv takes addresses of indexes, too.
func (p pyproject) folders() []string {
	list := texts(p.Tool.UV["find-links"])
	indexes, _ := p.Tool.UV["index"].([]any)
	for _, index := range indexes {
		table, _ := index.(map[string]any)
		url, _ := table["url"].(string)
		list = append(list, url)
	}
	return slices.DeleteFunc(list, func(s string) bool { return s == "" || strings.Contains(s, "://") })
}

// members are the pyproject.toml files of the workspace that p in dir is the root of.
func (p pyproject) members(root fs.FS, dir string) (list []string, err error) {
	workspace, _ := p.Tool.UV["workspace"].(map[string]any)
	for _, pattern := range texts(workspace["members"]) {
		members, err := fs.Glob(root, path.Join(dir, pattern, "pyproject.toml"))
		if err != nil {
			return nil, fmt.Errorf("%s: workspace member %q: %w", path.Join(dir, "pyproject.toml"), pattern, err)
		}
		list = append(list, members...)
	}
	return list, nil
}

// workspaceOf is the folder of the workspace that the project in dir is a member of,
// whose uv.lock is its own; dir where it is of none.
func workspaceOf(root fs.FS, dir string) string {
	for top := dir; top != "."; {
		top = path.Dir(top)
		p, err := readPyproject(root, top)
		if members, _ := p.members(root, top); err == nil && slices.Contains(members, path.Join(dir, "pyproject.toml")) {
			return top
		}
	}
	return dir
}

// paths are those of a source of uv, which may be one table or several.
func paths(source any) (list []string) {
	switch s := source.(type) {
	case []any:
		for _, one := range s {
			list = append(list, paths(one)...)
		}
	case map[string]any:
		if below, ok := s["path"].(string); ok {
			list = append(list, below)
		}
	}
	return list
}

func texts(value any) (list []string) {
	items, _ := value.([]any)
	for _, item := range items {
		if s, ok := item.(string); ok {
			list = append(list, s)
		}
	}
	return list
}

// readPylock returns the files that a pylock.toml names by path, and whether it has
// something from a git repository. What else is wrong with it than its syntax uv says.
func readPylock(name string, data []byte) (list []string, git bool, err error) {
	var file map[string]any
	if err := errors.Join(checkLogins(name, data), unmarshal(name, data, &file)); err != nil {
		return nil, false, err
	}
	packages, _ := file["packages"].([]any)
	for _, p := range packages {
		entry, _ := p.(map[string]any)
		git = git || entry["vcs"] != nil
		for _, key := range []string{"wheels", "sdist", "archive"} {
			for _, below := range paths(entry[key]) {
				if clean, err := local(path.Join(path.Dir(name), below)); err == nil {
					list = append(list, clean)
				}
			}
		}
	}
	return list, git, nil
}

// usesGit says whether uv needs git for a project.
func (p pyproject) usesGit() bool {
	sources, _ := p.Tool.UV["sources"].(map[string]any)
	for _, source := range sources {
		if slices.Contains(keys(source), "git") {
			return true
		}
	}
	data, err := json.Marshal(p)
	return err == nil && containsGit(string(data))
}

// keys are those of all tables in a value.
func keys(value any) (list []string) {
	switch v := value.(type) {
	case []any:
		for _, one := range v {
			list = append(list, keys(one)...)
		}
	case map[string]any:
		for key, one := range v {
			list = append(append(list, key), keys(one)...)
		}
	}
	return list
}
