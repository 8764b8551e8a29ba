package lock

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
)

// line is r as people read it, with all that tells one request from another:
// names are quoted, since they may hold anything.
func (r ModelRequest) line() string {
	text := r.From + " at " + quote(r.Path)
	if len(r.Include) > 0 {
		text += ", include " + quotes(r.Include)
	}
	if len(r.Exclude) > 0 {
		text += ", exclude " + quotes(r.Exclude)
	}
	if len(r.Rename) > 0 {
		text += ", rename " + pairs(r.Rename)
	}
	return text
}

// table is m as TOML, one line a file.
func (m Model) table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n[[model]]\nfrom      = %s\npath      = %s\n", quote(m.From), quote(m.Path))
	fmt.Fprintf(&b, "include   = %s\nexclude   = %s\nrename    = %s\n", quotes(m.Include), quotes(m.Exclude), pairs(m.Rename))
	fmt.Fprintf(&b, "commit    = %s\nplan      = %d\ndigest    = %s\npublished = %s\n",
		quote(m.Commit), m.Plan, quote(m.Digest), quote(m.Published))
	block(&b, "files", m.Files, modelFileLine)
	return b.String()
}

func modelFileLine(f ModelFile) string {
	return fmt.Sprintf("size = %d, sha256 = %s, path = %s, url = %s", f.Size, quote(f.SHA256), quote(f.Path), quote(f.URL))
}

// pairs is an inline table of TOML, sorted by key.
func pairs(m map[string]string) string {
	if len(m) == 0 {
		return "{}"
	}
	list := make([]string, 0, len(m))
	for _, key := range slices.Sorted(maps.Keys(m)) {
		list = append(list, quote(key)+" = "+quote(m[key]))
	}
	return "{ " + strings.Join(list, ", ") + " }"
}

type fileModel struct {
	From      string            `toml:"from"`
	Path      string            `toml:"path"`
	Include   []string          `toml:"include"`
	Exclude   []string          `toml:"exclude"`
	Rename    map[string]string `toml:"rename"`
	Commit    string            `toml:"commit"`
	Plan      int               `toml:"plan"`
	Digest    string            `toml:"digest"`
	Published string            `toml:"published"`
	Files     []fileModelFile   `toml:"files"`
}

type fileModelFile struct {
	Size   int64  `toml:"size"`
	SHA256 string `toml:"sha256"`
	Path   string `toml:"path"`
	URL    string `toml:"url"`
}

func (f fileModel) request() ModelRequest {
	return ModelRequest{From: f.From, Path: f.Path, Include: f.Include, Exclude: f.Exclude, Rename: f.Rename}
}

func (f fileModel) model() Model {
	return Model{
		ModelRequest: f.request(), Commit: f.Commit, Plan: f.Plan, Digest: f.Digest, Published: f.Published,
		Files: each(f.Files, func(f fileModelFile) ModelFile {
			return ModelFile{Path: f.Path, Size: f.Size, SHA256: f.SHA256, URL: f.URL}
		}),
	}
}

// checkModels reports every entry of a model that no resolver writes.
func (l Lock) checkModels() error {
	var faults []error
	for _, m := range l.Models {
		if err := m.check(); err != nil {
			faults = append(faults, fmt.Errorf("model %s: %w", m.From, err))
		}
	}
	if !slices.IsSortedFunc(l.Models, compareModels) {
		faults = append(faults, errors.New("models are not sorted"))
	}
	return errors.Join(faults...)
}

func (m Model) check() error {
	var faults []error
	_, _, hub := m.Repository()
	switch {
	case hub && !gitCommit.MatchString(m.Commit):
		faults = append(faults, fmt.Errorf("%q is not a commit", m.Commit))
	case !path.IsAbs(m.Path) || path.Clean(m.Path) != m.Path:
		faults = append(faults, fmt.Errorf("path %q is not absolute and clean", m.Path))
	case digest.Digest(m.Digest).Validate() != nil:
		faults = append(faults, fmt.Errorf("%q is not a digest", m.Digest))
	case m.Plan <= 0:
		faults = append(faults, fmt.Errorf("plan %d is not positive", m.Plan))
	case len(m.Files) == 0:
		faults = append(faults, errors.New("it has no files"))
	}
	if _, sum, ok := strings.Cut(m.Published, "@"); m.Published != "" && (!ok || digest.Digest(sum).Validate() != nil) {
		faults = append(faults, fmt.Errorf("published %q has no digest", m.Published))
	}
	for i, f := range m.Files {
		faults = append(faults, f.check(hub))
		if i > 0 && m.Files[i-1].Path >= f.Path {
			faults = append(faults, fmt.Errorf("file %q is there twice, or files are not sorted", f.Path))
		}
	}
	return errors.Join(faults...)
}

func (f ModelFile) check(hub bool) error {
	var faults []error
	if !fs.ValidPath(f.Path) || f.Path == "." || strings.ContainsRune(f.Path, 0) {
		faults = append(faults, fmt.Errorf("file %q does not stay in the model", f.Path))
	}
	if f.Size < 0 || !hexSHA256.MatchString(f.SHA256) {
		faults = append(faults, fmt.Errorf("file %q: size %d is negative, or %q is not a sha256", f.Path, f.Size, f.SHA256))
	}
	if hub != (f.URL == "") {
		faults = append(faults, fmt.Errorf("file %q: only one of the hub has no url", f.Path))
	}
	if f.URL != "" {
		faults = append(faults, checkURL(f.URL))
	}
	return errors.Join(faults...)
}
