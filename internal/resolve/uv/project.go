package uv

import (
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// projectIndexes are those that a project of uv names itself.
type projectIndexes struct {
	urls  []string
	named []string // those of them that a pyproject.toml has, and not the uv.lock alone
	own   bool     // they say where everything comes from that no index is bound to
	lock  bool     // there is a uv.lock
}

var registry = regexp.MustCompile(`registry = "(https?://[^"]+)"`)

// Named are the addresses of the indexes and pages of links that a request names
// itself: in its spec, its requirement files or its pyproject.toml.
func (r Request) Named(project fs.FS) []string {
	list := slices.Concat(r.Files.ExtraIndexURLs, r.links(), r.indexesOf(project).named)
	for _, i := range r.Indexes {
		list = append(list, i.URL)
	}
	return append(list, r.Files.IndexURL)
}

// indexesOf reads which indexes a project names, and the workspace that it is of. What
// can't be read names none: uv will say why.
func (r Request) indexesOf(project fs.FS) (found projectIndexes) {
	for _, name := range r.ProjectFiles {
		data, err := fs.ReadFile(project, name)
		if isAbove := path.Dir(name) == "." || strings.HasPrefix(r.Project+"/", path.Dir(name)+"/"); r.Project == "" || !isAbove || err != nil {
			continue
		}
		switch path.Base(name) {
		case "pyproject.toml":
			found.read(data)
		case "uv.lock":
			found.lock = true
			for _, m := range registry.FindAllStringSubmatch(string(data), -1) {
				found.urls = append(found.urls, m[1])
			}
		}
	}
	found.named = onTheWeb(found.named)
	found.urls = onTheWeb(slices.Concat(found.urls, found.named))
	return found
}

// onTheWeb are those of a list that are no folders, each once.
func onTheWeb(list []string) []string {
	slices.Sort(list)
	return slices.DeleteFunc(slices.Compact(list), func(url string) bool { return !strings.HasPrefix(url, "http") })
}

// read adds the indexes of a pyproject.toml.
func (found *projectIndexes) read(pyproject []byte) {
	var file struct {
		Tool struct {
			UV struct {
				IndexURL      string   `toml:"index-url"`
				ExtraIndexURL []string `toml:"extra-index-url"`
				Index         []struct {
					URL     string `toml:"url"`
					Default bool   `toml:"default"`
				} `toml:"index"`
			} `toml:"uv"`
		} `toml:"tool"`
	}
	_ = toml.Unmarshal(pyproject, &file)
	uv := file.Tool.UV
	found.own = found.own || uv.IndexURL != ""
	found.named = append(append(found.named, uv.ExtraIndexURL...), uv.IndexURL)
	for _, index := range uv.Index {
		found.own = found.own || index.Default
		found.named = append(found.named, index.URL)
	}
}

// exportArgs tell uv of indexes where it reads a project: nothing where that has a
// lock that was made from others, and of its own default no other.
func (r Request) exportArgs(where Indexes) []string {
	own, _ := r.own(where)
	switch {
	case r.uses.lock && (r.uses.own || !slices.Contains(r.uses.urls, own)):
		return nil
	case r.uses.own:
		return r.boundArgs()
	}
	return r.indexArgs(where)
}
