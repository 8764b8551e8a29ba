// Package reqfile reads pip's requirement files
// (https://pip.pypa.io/en/stable/reference/requirements-file-format/) as far as
// Lamina must understand them before uv does: lines, includes, options, names, pins,
// URLs and hashes. Versions, markers and extras stay text for uv.
//
// Nothing here accesses the network or the environment. A user and password are removed
// from a line before anything else reads it, so that nothing can show them.
package reqfile

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"lamina.build/internal/failure"
	"lamina.build/internal/resolve/userinfo"
)

// Options are the settings of a spec.
type Options struct {
	FS           fs.FS               // the directory of the image.toml
	Requirements []string            // files, slash-separated, below FS
	Constraints  []string            // files of constraints, likewise
	Env          func(string) string // the value of ${NAME} in a URL's user and password; may be nil
}

// Set is a request to uv: items and global options.
type Set struct {
	Requirements   []Requirement // in the order of the files, exact duplicates once
	Constraints    []Requirement // likewise
	IndexURL       string        // the last --index-url, "" where none
	ExtraIndexURLs []string      // in order, each once
	FindLinks      []string      // http(s) URLs, or clean paths below FS
	NoIndex        bool          // excludes IndexURL and ExtraIndexURLs
	Options        []string      // others that affect resolving: sorted, with one project each
	Notes          []string      // "file:line: …" for differences from pip
	userinfo.Found `json:"-"`    // in the URLs
}

// Kind is the kind of a requirement's source.
type Kind string

// The kinds of https://pip.pypa.io/en/stable/reference/requirement-specifiers/.
const (
	Named Kind = "named" // from an index, by name and versions
	URL   Kind = "url"   // an archive
	Git   Kind = "git"   // a repository
	Path  Kind = "path"  // an archive below FS
)

// Requirement is one item of a file.
type Requirement struct {
	Line         string   // for uv: with canonical white space, without credentials, comment and --hash
	Hashes       []string // "sha256:…" of --hash, sorted
	Name         string   // as [lock.NormalName] has it; "" if a URL or path doesn't contain it
	Kind         Kind
	Specifiers   string // of Named: the allowed versions, ">=1,<2"
	Marker       string // the condition for it; "" for none
	URL          string // of an archive or repository: without fragment, credentials and git+
	Ref          string // of a repository: branch, tag or commit, as written; "" where none
	Subdirectory string // of a repository or archive: clean, "" for its root
	Path         string // of a Path: clean, below FS
	File         string // that contains it
	At           int    // its line, from 1
}

// Text returns the line with its hashes, as in a requirement file.
func (r Requirement) Text() string {
	return strings.Join(append([]string{r.Line}, r.Hashes...), " --hash=")
}

// Error is one problem of a requirement file, with its line.
type Error struct {
	File string
	Line int // from 1; 0 for the whole file
	Err  error
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return e.Err.Error()
	}
	return fmt.Sprintf("%s:%d: %v", e.File, e.Line, e.Err)
}

// Unwrap returns the problem itself, for its hints.
func (e *Error) Unwrap() error { return e.Err }

// Read reads all files and their includes by -r and -c. The error holds one [Error] for
// every problem, in the order of reading.
func Read(o Options) (Set, error) {
	r := &reader{Options: o, seen: map[string]bool{}}
	for i, name := range slices.Concat(o.Requirements, o.Constraints) {
		r.problem(line{file: name}, r.file(line{constraint: i >= len(o.Requirements)}, name))
	}
	if n := len(r.frozen); n > 1 {
		r.problem(r.frozen[n-1], fmt.Errorf("%d lines up to this one have such paths", n))
	}
	r.set.Options = slices.Compact(slices.Sorted(slices.Values(r.set.Options)))
	if r.set.NoIndex { // as in pip, it discards every index
		r.set.IndexURL, r.set.ExtraIndexURLs = "", nil
	}
	return r.set, failure.New(failure.Usage, errors.Join(r.problems...))
}

// Parse reads a single requirement outside of a file: a name or an archive's URL, alone.
func Parse(text string) (Requirement, error) {
	r := &reader{Options: Options{FS: embed.FS{}}} // there are no files
	parts := options.FindStringSubmatch(text)
	req, err := r.requirement(line{}, parts[1])
	if err == nil && (req.Name == "" || parts[2] != "" || outOfPlace.MatchString(text)) {
		err = fmt.Errorf("%s is not a name or NAME @ URL alone", quote(text))
	}
	return req, err
}
