// Package spec reads image.toml into a validated value.
//
// The file is strict: an unknown key, a wrong type, a value that no build
// could use are errors, and all of them are reported at once, each with the
// place it was written at ([Error]). What comes out needs no further checking
// but that of the files it names ([File.CheckFiles]).
//
// A file describes several variants of one image. Each is the file with the
// tables of [variant.NAME] laid over it: tables merge, values and lists
// replace. The overlaying is done on the tree of the file, before anything is
// decoded, so that a variant's value is checked as a whole and every fault
// still knows its line.
//
// The way through the package: scan (TOML → tree with positions), overlay
// (tree → one tree a variant), decode (tree → [Spec]; the decoder is the
// schema), check* (what a single value may be).
package spec

// Spec is one variant of an image.toml with all defaults filled in.
// Paths of local files are slash-separated, clean and relative to the folder
// of the image.toml; paths inside the image are absolute and clean.
type Spec struct {
	Name     string
	Title    string // Name where none is written
	Version  string
	Licenses string
	Platform string // "linux/amd64" or "linux/arm64"
	Variant  string
	Debian   Debian
	Builder  Builder
	Python   Python
	Git      []Git
	Models   []Model
	App      App
	Smoke    Smoke
	Weights  string   // [WeightsLayers] or [WeightsNone]
	Extra    []string // Debian packages that this variant adds to the runtime
}

// What a variant does with the models' files.
const (
	WeightsLayers = "layers" // baked into the image as layers
	WeightsNone   = "none"   // fetched, cached or mounted at run time
)

// Debian says which Debian packages run.
type Debian struct {
	Suites       []string
	Components   []string
	Mirror       string // base URL without a slash at its end; "" where none is written
	Packages     []string
	Exclude      []string // globs of absolute paths in order; ** spans folders, a leading ! takes back
	Repositories []Repository
}

// Repository is a [[debian.repository]] table.
type Repository struct {
	Name       string // made from the URL where the spec has none
	URL        string // without a slash at its end
	Suite      string // "stable", or a flat path that ends in "/"
	Components []string
	Key        string // file with the public key, armoured or binary
}

// Builder says which Debian packages compile.
type Builder struct {
	Packages []string
}

// Python is the [python] table. Names of projects are normalised (PEP 503).
type Python struct {
	Requirements  []string // files
	Lock          string   // a pylock.toml or a uv.lock, in place of Requirements
	Project       string   // folder of a pyproject.toml whose dependencies are installed, in place of Requirements
	Extras        []string // of Project or Lock
	Groups        []string // of Project or Lock; none is installed unasked
	Constraints   []string // files
	Overrides     []string // requirements that replace all others for their projects
	Excludes      []string // projects that are left out wherever they are asked for
	IndexStrategy string   // uv's: "first-index", "unsafe-first-match", "unsafe-best-match"
	Sources       []string // folders
	Optional      []string // projects that are left out where they can't be built
	Prune         []string // globs of files of locked packages in order, on top of the usual ones; a leading ! takes back
	Collisions    []string // globs of installed files that two wheels may both hold
	Compile       bool     // headers and libraries for compiling stay
	Indexes       []Index
	BuildRequires map[string][]string // by project, or by the name of a folder of Sources
}

// Index is a [[python.index]] table.
type Index struct {
	Name     string
	URL      string
	Packages []string
}

// Git is a [[git]] table.
type Git struct {
	URL     string
	Commit  string // 40 hexadecimal digits, so that no lock has more to say
	Path    string
	Subdir  string   // "" for the whole tree
	Exclude []string // globs below Subdir
}

// Model is a [[model]] table.
type Model struct {
	Name    string // "" for a single unnamed one
	From    string // "dir:weights", "hf://ORG/NAME@REVISION" or "https://…"
	Path    string
	Include []string
	Exclude []string
	Rename  map[string]string
}

// App is the [app] table.
type App struct {
	Source     string // "" where the image has no app
	Path       string
	User       User
	Workdir    string
	Entrypoint []string
	Command    []string
	Env        map[string]string
	Ports      []int
	StopSignal string
}

// User is the account that the app runs as.
type User struct {
	Name string
	UID  int
}

// Smoke is the [smoke] table.
type Smoke struct {
	Imports      []string
	Run          [][]string
	ELFIgnore    []string
	NeedsWeights bool
	GPU          [][]string // run = … of [smoke.gpu]
}
