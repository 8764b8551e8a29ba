package requirements

import (
	"fmt"
	"io/fs"
)

// Options are what a spec gives.
type Options struct {
	FS           fs.FS               // the folder of the image.toml
	Requirements []string            // files, slash-separated, below FS
	Constraints  []string            // files of constraints, likewise
	Env          func(string) string // what ${NAME} in a URL's user and password stands for; nil: nothing
}

// Set is what pip is to be asked for: the items and the global options of
// https://pip.pypa.io/en/stable/reference/requirements-file-format/.
type Set struct {
	Requirements   []Requirement    // in the order of the files, exact duplicates once
	Constraints    []Requirement    // likewise
	IndexURL       string           // the last --index-url, "" where none
	ExtraIndexURLs []string         // in order, each once
	FindLinks      []string         // http(s) URLs, or clean paths below FS
	NoIndex        bool             // then there is neither an IndexURL nor an ExtraIndexURL
	Options        []string         // further options that matter to resolving: canonical, sorted, :all: first
	Logins         map[string]Login `json:"-"` // host[:port] → who to be there
	Unset          []Unset          `json:"-"` // the logins that nobody knows
	Notes          []string         // "file:line: …" for what is understood otherwise than by pip
}

// Kind says where a requirement comes from.
type Kind string

// The kinds of requirements that pip documents at
// https://pip.pypa.io/en/stable/reference/requirement-specifiers/.
const (
	Named Kind = "named" // from an index, by name and versions
	URL   Kind = "url"   // an archive
	Git   Kind = "git"   // a commit of a repository
	Path  Kind = "path"  // an archive below FS
)

// Requirement is one item of a file, in the sense of
// https://packaging.python.org/en/latest/specifications/dependency-specifiers/.
type Requirement struct {
	Line         string // canonical, without credentials and comment, with --hash options
	Name         string // as [Normal] has it; "" where an archive's file name doesn't tell
	Kind         Kind
	URL          string // of an archive or repository: without fragment, credentials and git+
	Commit       string // of a repository: 40 hexadecimal digits in lower case
	Subdirectory string // of a repository or archive: clean, from #subdirectory=
	Path         string // of a Path: clean, below FS
	File         string // where it stands
	At           int    // the line there, from 1
}

// Login is a user and password as they are sent, not as a URL writes them
// (https://pip.pypa.io/en/stable/topics/authentication/).
type Login struct {
	User     string
	Password string
}

// Unset is a login whose variables are not set. That is no fault until somebody
// has to log in: a set's wishes are the same without.
type Unset struct {
	Host string // host[:port]
	Err  error  // one [Error] for each variable
}

// Format keeps a login out of whatever is printed ([fmt.Formatter]).
func (Login) Format(f fmt.State, _ rune) { fmt.Fprint(f, "(a login)") }

// Read reads all files and what they include by -r and -c. The error holds one
// [Error] for every fault, in the order of reading.
func Read(o Options) (Set, error) {
	r := newReader(o)
	for _, name := range o.Requirements {
		r.top(name, false)
	}
	for _, name := range o.Constraints {
		r.top(name, true)
	}
	if err := r.faults.err(); err != nil {
		return Set{}, err
	}
	return r.finish(), nil
}
