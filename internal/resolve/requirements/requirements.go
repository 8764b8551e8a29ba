// Package requirements reads pip's requirement files
// (https://pip.pypa.io/en/stable/reference/requirements-file-format/) as far as
// they must be known before uv reads them: lines, includes, options, names,
// pins, URLs and hashes. Versions, markers and extras stay text for uv to judge.
//
// Nothing here reaches the network or the environment. A user and password may
// only stand in a URL, where they are taken out before anything else looks at
// the line, so that neither a [Set] nor an error can show them.
package requirements

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"lamina.build/internal/failure"
)

// Options are what a spec gives.
type Options struct {
	FS           fs.FS               // the folder of the image.toml
	Requirements []string            // files, slash-separated, below FS
	Constraints  []string            // files of constraints, likewise
	Env          func(string) string // what ${NAME} in a URL's user and password stands for; nil: nothing
}

// Set is what uv is to be asked for: items and global options.
type Set struct {
	Requirements   []Requirement    // in the order of the files, exact duplicates once
	Constraints    []Requirement    // likewise
	IndexURL       string           // the last --index-url, "" where none
	ExtraIndexURLs []string         // in order, each once
	FindLinks      []string         // http(s) URLs, or clean paths below FS
	NoIndex        bool             // then there is neither an IndexURL nor an ExtraIndexURL
	Options        []string         // others that matter to resolving: sorted, with one project each
	Logins         map[string]Login `json:"-"` // host[:port] → who to be there
	Unset          []Unset          `json:"-"` // the logins that nobody knows
	Notes          []string         // "file:line: …" for what is understood otherwise than by pip
}

// Kind says where a requirement comes from.
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
	Name         string   // as [lock.NormalName] has it; "" where a URL or path doesn't tell
	Kind         Kind
	Specifiers   string // of Named: the versions that it admits, ">=1,<2"
	Marker       string // the condition that it holds under; "" where it always does
	URL          string // of an archive or repository: without fragment, credentials and git+
	Ref          string // of a repository: branch, tag or commit, as written; "" where none
	Subdirectory string // of a repository or archive: clean, "" for its root
	Path         string // of a Path: clean, below FS
	File         string // where it stands
	At           int    // the line there, from 1
}

// Wish is the line with its hashes, as a requirement file has it.
func (r Requirement) Wish() string {
	return strings.Join(append([]string{r.Line}, r.Hashes...), " --hash=")
}

// Wishes returns what the set asks for as lines of a requirement file, except
// that a constraint stands behind -c by itself. They are sorted and each there
// once: sets that ask for the same have equal wishes. What an archive below FS
// or a folder of links holds is not part of them.
func (s Set) Wishes() []string {
	wishes := slices.Clone(s.Options)
	add := func(option string, values ...string) {
		for _, value := range values {
			wishes = append(wishes, option+value)
		}
	}
	for _, r := range s.Requirements {
		add("", r.Wish())
	}
	for _, c := range s.Constraints {
		add("-c ", c.Wish())
	}
	if s.IndexURL != "" {
		add("--index-url ", s.IndexURL)
	}
	if s.NoIndex {
		add("", "--no-index")
	}
	add("--extra-index-url ", s.ExtraIndexURLs...)
	add("--find-links ", s.FindLinks...)
	slices.Sort(wishes)
	return slices.Compact(wishes)
}

// Error is one fault of a requirement file and the line it stands in.
type Error struct {
	File string
	Line int // from 1; 0 where the whole file is meant
	Err  error
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return e.Err.Error()
	}
	return fmt.Sprintf("%s:%d: %v", e.File, e.Line, e.Err)
}

// Unwrap gives away the fault itself, for its hints.
func (e *Error) Unwrap() error { return e.Err }

// Read reads all files and what they include by -r and -c. The error holds one
// [Error] for every fault, in the order of reading.
func Read(o Options) (Set, error) {
	r := &reader{Options: o, set: Set{Logins: map[string]Login{}}, seen: map[string]bool{}}
	for i, name := range slices.Concat(o.Requirements, o.Constraints) {
		r.fault(line{file: name}, r.file(line{constraint: i >= len(o.Requirements)}, name))
	}
	if n := len(r.frozen); n > maxFrozen {
		r.fault(r.frozen[n-1], frozenError("%d lines up to this one have such paths", n))
	}
	slices.Sort(r.set.Options)
	r.set.Options = slices.Compact(r.set.Options)
	if r.set.NoIndex { // pip forgets every index then
		r.set.IndexURL, r.set.ExtraIndexURLs = "", nil
	}
	return r.set, failure.New(failure.Usage, errors.Join(r.faults...))
}

// Parse reads a single requirement that stands in no file: a name or an archive's
// URL, without options and logins.
func Parse(text string) (Requirement, error) {
	r := &reader{Options: Options{FS: embed.FS{}}} // no file lies beside it
	parts := options.FindStringSubmatch(text)
	req, err := r.requirement(line{}, parts[1])
	if err == nil && (req.Name == "" || parts[2] != "" || outOfPlace.MatchString(text)) {
		err = fmt.Errorf("%s is not a name or NAME @ URL alone", quote(text))
	}
	return req, err
}
