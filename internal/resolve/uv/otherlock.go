package uv

import (
	"cmp"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"lamina.build/internal/resolve/pep508"
	"lamina.build/lock"
)

// lockFile is the lock of another tool from which a request takes its distributions: its
// entries by project.
type lockFile struct {
	name    string
	entries map[string][]lockEntry
}

type lockEntry struct {
	version string
	text    string
}

var anySHA256 = regexp.MustCompile(`\b[0-9a-f]{64}\b`)

// lockFile reads the pylock.toml or uv.lock of the request, if there is one.
func (c claim) lockFile() (f lockFile) {
	i := slices.IndexFunc(c.ProjectFiles, func(name string) bool { return path.Base(name) == "uv.lock" && c.Project != "" })
	if f.name = c.Lock; f.name == "" && i >= 0 {
		f.name = c.ProjectFiles[i]
	}
	var file struct {
		PyLock []map[string]any `toml:"packages"`
		UVLock []map[string]any `toml:"package"`
	}
	if c.LockText == "" || toml.Unmarshal([]byte(c.LockText), &file) != nil {
		return lockFile{}
	}
	f.entries = map[string][]lockEntry{}
	for _, entry := range append(file.PyLock, file.UVLock...) {
		name, _ := entry["name"].(string)
		version, _ := entry["version"].(string)
		text, _ := toml.Marshal(entry) // as it was read
		f.entries[normal(name)] = append(f.entries[normal(name)], lockEntry{version, string(text)})
	}
	return f
}

// has reports whether the entries for a project contain a file name.
func (f lockFile) has(project, name string) bool {
	return slices.ContainsFunc(f.entries[project], func(e lockEntry) bool { return strings.Contains(e.text, name) })
}

// problem returns why d is not in the file, by its sha256 or commit; "" if it is.
func (f lockFile) problem(d lock.Distribution) string {
	if f.entries == nil {
		return ""
	}
	_, commit, _, isGit := d.Git()
	for _, e := range f.entries[d.Name] {
		sum := cmp.Or(d.SHA256, commit)
		isIt := strings.Contains(e.text, sum) || !isGit && !anySHA256.MatchString(e.text) && strings.Contains(e.text, path.Base(d.URL))
		if isIt && (e.version == "" || pep508.SameVersion(e.version, d.Version)) {
			return ""
		}
	}
	return fmt.Sprintf("%s has no such file for it", f.name)
}
