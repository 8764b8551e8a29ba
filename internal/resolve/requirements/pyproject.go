package requirements

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/opencontainers/go-digest"
	"github.com/pelletier/go-toml/v2"

	"lamina.build/internal/beneath"
	"lamina.build/internal/failure"
	"lamina.build/internal/resolve/reqfile"
	strict "lamina.build/internal/toml"
	"lamina.build/lock"
)

// pyproject is the part of a pyproject.toml that determines its dependencies:
// https://packaging.python.org/en/latest/specifications/pyproject-toml/ and the
// tables of uv. A lock has a digest of it.
type pyproject struct {
	BuildSystem map[string]any `toml:"build-system" json:",omitempty"`
	Project     *struct {
		Name         any `toml:"name" json:"-"`
		Dependencies any `toml:"dependencies"`
		Optional     any `toml:"optional-dependencies"`
		Python       any `toml:"requires-python"`
		Dynamic      any `toml:"dynamic"`
	} `toml:"project"`
	Groups any `toml:"dependency-groups"`
	Tool   struct {
		UV map[string]any `toml:"uv"`

		// Of build backends and others, which list requirements from them.
		PDM        any `toml:"pdm" json:"-"`
		Flit       any `toml:"flit" json:"-"`
		Hatch      any `toml:"hatch" json:"-"`
		Poetry     any `toml:"poetry" json:"-"`
		Setuptools any `toml:"setuptools" json:"-"`
	} `toml:"tool"`
}

const (
	manifest   = "pyproject.toml"
	uvLock     = "uv.lock"
	uvSettings = "uv.toml"
)

// Size limits of the files that determine a lock.
const (
	maxPyproject = 4 << 20
	maxPylock    = 16 << 20
	maxUVLock    = 64 << 20
)

// pyproject reads the pyproject.toml of a directory, once.
func (r *reader) pyproject(dir string) (pyproject, error) {
	p, known := r.projects[dir]
	if known {
		return p, nil
	}
	name := path.Join(dir, manifest)
	data, err := beneath.ReadAtMost(r.root, name, maxPyproject)
	if err == nil {
		err = errors.Join(checkLogins(name, data), unmarshal(name, data, &p))
	}
	if err == nil {
		r.projects[dir] = p
	}
	return p, err
}

// input records a file that determines the lock, under a name, with its digest.
func (r *reader) input(name string, data []byte) {
	r.inputs = append(r.inputs, fmt.Sprintf("%s %s", name, digest.FromBytes(data)))
}

// needs records the dependencies of p as an input, which other changes don't affect.
func (r *reader) needs(name string, p pyproject) error {
	data, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	r.input(name, data)
	r.git = r.git || containsGit(string(data)) || hasGit(p.Tool.UV["sources"])
	return nil
}

// readProject reads what uv reads of a project: its pyproject.toml, those that it refers
// to, and its lock.
func (r *reader) readProject(dir string) error {
	if err := r.readPyprojects(dir); err != nil {
		return err
	}
	r.top = r.workspaceOf(dir)
	if err := r.readSettings(); err != nil {
		return err
	}
	decided := slices.Concat(r.projects[dir].decides(), r.projects[r.top].decides(), r.settings.decides())
	r.request.Declared = r.projects[dir].declared(path.Join(dir, manifest), r.request.Extras, r.request.Groups, decided)
	name := path.Join(r.top, uvLock)
	if _, err := fs.Stat(r.root, name); errors.Is(err, fs.ErrNotExist) {
		return r.projects[dir].check(dir)
	}
	data, err := beneath.ReadAtMost(r.root, name, maxUVLock)
	r.request.ProjectFiles = append(r.request.ProjectFiles, name)
	r.request.LockText, r.request.Uses.Locked = string(data), true
	for _, m := range registry.FindAllStringSubmatch(r.request.LockText, -1) {
		if !slices.Contains(r.request.Uses.Links, m[1]) {
			r.request.Uses.URLs = append(r.request.Uses.URLs, m[1])
		}
	}
	r.request.Uses.URLs = sorted(r.request.Uses.URLs)
	r.input(name, data)
	r.git = r.git || containsGit(string(data))
	return errors.Join(err, checkLogins(name, data), strict.CheckDepth(name, data))
}

var registry = regexp.MustCompile(`registry = "(https?://[^"]+)"`)

// readSettings reads uv's settings for a workspace without its own: of the nearest directory,
// from its root up, that has a uv.toml or a pyproject.toml with a table of uv.
func (r *reader) readSettings() error {
	for dir := r.top; ; dir = path.Dir(dir) {
		if name := path.Join(dir, uvSettings); regular(r.root, name) {
			data, err := beneath.ReadAtMost(r.root, name, maxPyproject)
			if err == nil {
				err = errors.Join(checkLogins(name, data), unmarshal(name, data, &r.settings.Tool.UV))
			}
			r.input(name, data)
			r.git = r.git || containsGit(string(data))
			return errors.Join(err, r.useSettings(name))
		}
		p, err := r.pyproject(dir)
		switch {
		case p.Tool.UV != nil && dir != r.top:
			name := path.Join(dir, manifest)
			r.settings.Tool.UV = maps.Clone(p.Tool.UV)
			for _, key := range []string{"sources", "workspace"} { // of the project there
				delete(r.settings.Tool.UV, key)
			}
			return errors.Join(err, r.needs(name, r.settings), r.useSettings(name))
		case dir == "." || err == nil && p.Tool.UV != nil:
			return nil
		}
	}
}

// useSettings records what the settings need, with their own file.
func (r *reader) useSettings(name string) error {
	r.uses(r.settings)
	more, err := r.settings.files(r.root, name)
	r.request.ProjectFiles = append(r.request.ProjectFiles, append(more, name)...)
	return err
}

// readPyprojects reads the pyproject.toml of a directory, of its workspace, of the members
// of that and of the directories that its sources name. uv reports the missing ones.
func (r *reader) readPyprojects(dir string) error {
	p, err := r.pyproject(dir)
	if err != nil {
		return err
	}
	name := path.Join(dir, manifest)
	more, err := p.files(r.root, name)
	if err = errors.Join(err, r.needs(name, p)); err != nil {
		return err
	}
	r.request.ProjectFiles = append(r.request.ProjectFiles, name)
	if dir == r.request.Project || dir == r.workspaceOf(r.request.Project) {
		r.uses(p)
	} else {
		r.request.ProjectTexts = append(r.request.ProjectTexts, p.requires())
	}
	for _, name := range more {
		switch {
		case slices.Contains(r.request.ProjectFiles, name):
		case path.Base(name) == manifest && regular(r.root, name):
			err = errors.Join(err, r.readPyprojects(path.Dir(name)))
		default:
			r.request.ProjectFiles = append(r.request.ProjectFiles, name)
		}
	}
	if top := r.workspaceOf(dir); err == nil && !slices.Contains(r.request.ProjectFiles, path.Join(top, manifest)) {
		err = r.readPyprojects(top)
	}
	return err
}

// readTree records the files that determine the dependencies of a source tree: its
// pyproject.toml, and unless that lists them, its setup.py and the lists that these name.
func (r *reader) readTree(dir string) error {
	for _, base := range []string{"setup.py", "setup.cfg", "requirements.txt"} {
		data, _ := beneath.ReadAtMost(r.root, path.Join(dir, base), maxPyproject) // few trees have all
		r.request.TreePrograms = append(r.request.TreePrograms, comment.ReplaceAllString(string(data), ""))
	}
	text := ""
	if regular(r.root, path.Join(dir, manifest)) {
		p, err := r.pyproject(dir)
		if err != nil {
			return err
		}
		r.request.TreeTexts = append(r.request.TreeTexts, p.requires())
		if err = r.needs("source "+dir, p); err != nil || !p.isDynamic() {
			return err
		}
		if text = p.backend(); text != "" {
			r.input("backend "+dir, []byte(text))
		}
		r.git = r.git || hasGit(dig(p.Tool.Poetry, "dependencies"))
	}
	read := func(base string) error {
		name := path.Join(dir, base)
		if inside(name) != nil || !regular(r.root, name) {
			return nil
		}
		data, err := beneath.ReadAtMost(r.root, name, maxPyproject)
		if err == nil {
			r.input("source "+name, data)
			text += "\n" + string(data)
		}
		return err
	}
	err := errors.Join(read("setup.py"), read("setup.cfg"))
	for _, base := range sorted(listFile.FindAllString(comment.ReplaceAllString(text, ""), -1)) {
		err = errors.Join(err, read(base))
	}
	r.git = r.git || containsGit(comment.ReplaceAllString(text, ""))
	return err
}

var (
	listFile = regexp.MustCompile(`(?i)[\w./-]*(?:req|dep|install)[\w./-]*\.(?:txt|in)\b`)
	comment  = regexp.MustCompile(`(?m)(?:^|\s)#.*$`)
)

// backend returns the values that a build backend reads requirements from, as JSON; "" if
// there are none.
func (p pyproject) backend() string {
	values := map[string]any{}
	for key, value := range map[string]any{
		"poetry": dig(p.Tool.Poetry, "dependencies"), "poetry extras": dig(p.Tool.Poetry, "extras"), "setuptools": dig(p.Tool.Setuptools, "dynamic"),
		"flit": dig(p.Tool.Flit, "metadata", "requires"), "flit extras": dig(p.Tool.Flit, "metadata", "requires-extra"), "hatch": dig(p.Tool.Hatch, "metadata"),
	} {
		if value != nil {
			values[key] = value
		}
	}
	data, err := json.Marshal(values)
	if err != nil || len(values) == 0 { // a number that JSON lacks is no requirement
		return ""
	}
	return string(data)
}

// dig returns a value in nested tables.
func dig(value any, keys ...string) any {
	for _, key := range keys {
		table, _ := value.(map[string]any)
		value = table[key]
	}
	return value
}

// hasGit reports whether a value of a table, such as that of sources, names a repository. A
// key may be a project called "git".
func hasGit(table any) bool {
	sources, _ := table.(map[string]any)
	for _, source := range sources {
		if text, err := json.Marshal(source); err == nil && bytes.Contains(text, []byte(`"git":`)) {
			return true
		}
	}
	return false
}

// readPylock reads a pylock.toml and the paths of files in it. It checks only the syntax;
// uv reports other problems.
func (r *reader) readPylock(name string) error {
	data, err := beneath.ReadAtMost(r.root, name, maxPylock)
	if err != nil {
		return err
	}
	var file struct {
		Packages any `toml:"packages"`
	}
	err = errors.Join(checkLogins(name, data), unmarshal(name, data, &file))
	r.input(name, data)
	r.request.LockText = string(data)
	r.request.ProjectFiles = append(r.request.ProjectFiles, name)
	packages, _ := file.Packages.([]any)
	for _, p := range packages {
		entry, _ := p.(map[string]any)
		r.git = r.git || entry["vcs"] != nil
		for _, key := range []string{"wheels", "sdist", "archive"} {
			for _, below := range paths(entry[key]) {
				if clean := path.Join(path.Dir(name), below); inside(clean) == nil {
					r.request.ProjectFiles = append(r.request.ProjectFiles, clean)
				}
			}
		}
	}
	return err
}

// isDynamic reports whether only a build backend can list the dependencies of p.
func (p pyproject) isDynamic() bool {
	return p.Project == nil || slices.Contains(texts(p.Project.Dynamic), "dependencies")
}

// check requires a project to declare its own dependencies: uv sees nothing else of it.
func (p pyproject) check(dir string) error {
	name := path.Join(dir, manifest)
	switch {
	case p.Project == nil && (len(p.Tool.UV) > 0 || p.Groups != nil): // the root of a workspace, or groups alone: left to uv
		return nil
	case p.Project == nil:
		err := fmt.Errorf("%s: no [project] table to declare its dependencies", name)
		return failure.WithHint(err, fmt.Sprintf("if only a build backend can list them, write sources = [%q] under [python]", dir))
	case p.isDynamic():
		err := fmt.Errorf("%s: its dependencies are dynamic, and not listed in it", name)
		return failure.WithHint(err, fmt.Sprintf("write sources = [%q] under [python] to ask its build backend for them", dir))
	}
	return nil
}

// declared returns the requirements of a project itself, with those of extras and groups,
// without the decided projects.
func (p pyproject) declared(file string, extras, groups, decided []string) (list []reqfile.Requirement) {
	var lines []string
	name := ""
	if p.Project != nil {
		lines = texts(p.Project.Dependencies)
		name, _ = p.Project.Name.(string)
	}
	seen := map[string]bool{}
	add := func(extras ...string) {
		for _, extra := range extras {
			if extra = lock.NormalName(extra); !seen[extra] && p.Project != nil {
				seen[extra] = true
				lines = append(lines, texts(entry(p.Project.Optional, extra))...)
			}
		}
	}
	add(extras...)
	for _, group := range groups {
		lines = append(lines, p.group(group, 0)...)
	}
	for i := 0; i < len(lines); i++ { // add appends to lines
		w, err := reqfile.Parse(lines[i])
		switch w.File = file; {
		case err != nil || slices.Contains(decided, w.Name):
		case name == "" || w.Name != lock.NormalName(name):
			list = append(list, w)
		case w.Marker == "": // itself, for more of its extras
			_, more, _ := strings.Cut(strings.TrimSuffix(leadingTitle.FindString(w.Line), "]"), "[")
			add(strings.Split(more, ",")...)
		}
	}
	return list
}

// decides lists the projects that the tables of uv decide, by a source, an override or an
// exclusion.
func (p pyproject) decides() []string {
	list := slices.Concat(texts(p.Tool.UV["exclude-dependencies"]), texts(p.Tool.UV["override-dependencies"]))
	if sources, ok := p.Tool.UV["sources"].(map[string]any); ok {
		list = append(list, slices.Collect(maps.Keys(sources))...)
	}
	return named(list)
}

// maxGroups limits nested includes of groups; uv rejects cycles.
const maxGroups = 50

// group returns the requirements of a dependency group, which may include others.
func (p pyproject) group(name string, depth int) (lines []string) {
	items, _ := entry(p.Groups, name).([]any)
	for _, item := range items {
		switch x := item.(type) {
		case string:
			lines = append(lines, x)
		case map[string]any:
			if other, ok := x["include-group"].(string); ok && depth < maxGroups {
				lines = append(lines, p.group(other, depth+1)...)
			}
		}
	}
	return lines
}

// entry returns the value of a table under a name, compared as extras and groups are.
func entry(table any, name string) any {
	entries, _ := table.(map[string]any)
	for key, value := range entries {
		if lock.NormalName(key) == lock.NormalName(name) {
			return value
		}
	}
	return nil
}

// files lists the files that uv reads of a project, whose pyproject.toml or uv.toml is
// file: those of its workspace members, the paths of its sources, and the files in
// directories that serve as indexes.
func (p pyproject) files(root fs.FS, file string) ([]string, error) {
	dir := path.Dir(file)
	list, err := p.members(root, dir)
	if err != nil {
		return nil, err
	}
	sources, _ := p.Tool.UV["sources"].(map[string]any)
	for _, source := range sources {
		for _, below := range paths(source) {
			name := path.Join(dir, below)
			if err := inside(name); err != nil {
				return nil, fmt.Errorf("%s: source %q: %w", file, below, err)
			}
			if info, err := fs.Stat(root, name); err == nil && info.IsDir() {
				name = path.Join(name, manifest)
			}
			list = append(list, name)
		}
	}
	for _, i := range p.indexes() {
		if i.url == "" || strings.Contains(i.url, "://") {
			continue
		}
		name := path.Join(dir, i.url)
		err := inside(name)
		for _, pattern := range []string{"*.whl", "*.tar.gz", "*.zip"} {
			if err == nil {
				var found []string
				found, err = fs.Glob(root, path.Join(name, pattern))
				list = append(list, found...)
			}
		}
		if err != nil {
			return nil, fmt.Errorf("%s: index %q: %w", file, i.url, err)
		}
	}
	return sorted(list), nil
}

// index is an index, or a directory that serves as one, in the tables of uv.
type index struct {
	name, url string
	isDefault bool // for unbound projects
	isFlat    bool // one page with links
}

func (p pyproject) indexes() (list []index) {
	for _, table := range []any{p.Tool.UV, p.Tool.UV["pip"]} {
		if url, _ := dig(table, "index-url").(string); url != "" {
			list = append(list, index{url: url, isDefault: true})
		}
		for _, url := range texts(dig(table, "extra-index-url")) {
			list = append(list, index{url: url})
		}
		for _, url := range texts(dig(table, "find-links")) {
			list = append(list, index{url: url, isFlat: true})
		}
	}
	tables, _ := p.Tool.UV["index"].([]any)
	for _, table := range tables {
		name, _ := dig(table, "name").(string)
		url, _ := dig(table, "url").(string)
		isDefault, _ := dig(table, "default").(bool)
		list = append(list, index{name, url, isDefault, dig(table, "format") == "flat"})
	}
	return list
}

// uses records the indexes and the requirements of p, whose settings are those of the project.
func (r *reader) uses(p pyproject) {
	r.request.ProjectTexts = append(r.request.ProjectTexts, p.requires())
	found := &r.request.Uses
	for _, i := range p.indexes() {
		found.Default = found.Default || i.isDefault
		if i.name != "" {
			found.Names[i.name] = i.url
		}
		switch {
		case !strings.HasPrefix(i.url, "http"):
		case i.isFlat:
			found.Links = append(found.Links, i.url)
		default:
			found.Named, found.URLs = append(found.Named, i.url), append(found.URLs, i.url)
		}
	}
	found.Named, found.URLs, found.Links = sorted(found.Named), sorted(found.URLs), sorted(found.Links)
}

// requires returns the values of p that have requirements, as JSON: not its homepage.
func (p pyproject) requires() string {
	values := []any{p.BuildSystem, p.Groups, p.Tool.UV, p.Tool.PDM}
	if p.Project != nil {
		values = append(values, p.Project.Dependencies, p.Project.Optional)
	}
	for _, key := range []string{"dependencies", "dev-dependencies", "group"} {
		values = append(values, dig(p.Tool.Poetry, key))
	}
	var text strings.Builder
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false) // an address may have &
	_ = e.Encode(values)   // fails only for numbers that JSON lacks
	return text.String()
}

// paths returns the paths of a source of uv, which may be one table or several.
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

var loginAddress = regexp.MustCompile(`https?://([^/?#\s"']*)@([^/?#\s"']+)`)

// checkLogins rejects addresses with a login: uv would see it in the file, and no lock may
// contain it. The user "git" is none.
func checkLogins(name string, data []byte) error {
	for _, at := range loginAddress.FindAllSubmatchIndex(data, -1) {
		if string(data[at[2]:at[3]]) == "git" {
			continue
		}
		host := data[at[4]:at[5]]
		err := fmt.Errorf("%s:%d: an address at %s contains a user name or password", name, bytes.Count(data[:at[0]], []byte("\n"))+1, host)
		return failure.WithHint(err, fmt.Sprintf("remove it, and put a login for %s into ~/.netrc", host))
	}
	return nil
}

// unmarshal reads a TOML file; errors have a line.
func unmarshal(name string, data []byte, into any) error {
	if err := strict.CheckDepth(name, data); err != nil {
		return err
	}
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

// inside requires a path to be in the directory of the spec.
func inside(name string) error {
	switch {
	case strings.ContainsFunc(name, unicode.IsControl):
		return fmt.Errorf("%q holds a control character", name)
	case strings.Contains(name, `\`):
		return fmt.Errorf("%q holds a backslash, paths are written with /", name)
	case !fs.ValidPath(name):
		return fmt.Errorf("%q leads out of the directory of image.toml", name)
	}
	return nil
}

func regular(root fs.FS, name string) bool {
	info, err := fs.Stat(root, name)
	return err == nil && info.Mode().IsRegular()
}
