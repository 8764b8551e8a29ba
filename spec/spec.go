// Package spec reads image.toml into a validated value.
//
// The file is strict: unknown keys, wrong types and values that no build could use are
// errors, and all of them are reported at once, each with its position ([Error]). The
// result requires no further checks except of the files that it names
// ([File.CheckFiles]).
//
// A file describes several variants of one image. Each is the file overlaid with the
// tables of [variant.NAME]: tables merge, values and lists replace. The tree of the file
// is overlaid before anything is decoded, so that a variant's value is checked as a
// whole and every problem keeps its line.
//
// In the order of processing: internal/toml parses the file to a tree with positions,
// overlay makes a tree for each variant, decode makes a [Spec] (the decoder is the
// schema), and check* check single values.
package spec

import (
	"cmp"
	"reflect"
	"strings"

	"lamina.build/lock"
)

// Spec is one variant of an image.toml with all defaults filled in.
// Paths of local files are slash-separated, clean and relative to the directory
// of the image.toml; paths inside the image are absolute and clean.
type Spec struct {
	Name      string   `toml:"name,omitempty"`
	Title     string   `toml:"title,omitempty"` // Name by default
	Version   string   `toml:"version,omitempty"`
	Licenses  string   `toml:"licenses,omitempty"`
	Platforms []string `toml:"platform,omitempty"` // "linux/amd64", "linux/arm64"; several make an index of images
	Variant   string   `toml:"-"`
	Debian    Debian   `toml:"debian,omitempty"`
	Builder   Builder  `toml:"builder,omitempty"`
	Python    Python   `toml:"python,omitempty"`
	Git       []Git    `toml:"git,omitempty"`
	Models    []Model  `toml:"model,omitempty"`
	App       App      `toml:"app,omitempty"`
	Smoke     Smoke    `toml:"smoke,omitempty"`
	Weights   string   `toml:"-"` // [WeightsLayers] or [WeightsNone]
	Extra     []string `toml:"-"` // Debian packages that this variant adds to the runtime
}

// How a variant provides the models' files.
const (
	WeightsLayers = "layers" // baked into the image as layers
	WeightsNone   = "none"   // fetched, cached or mounted at run time
)

// Debian is the [debian] table: the packages of the image.
type Debian struct {
	Suites       []string     `toml:"-"` // of Debian's own archive; empty if repositories have everything the image needs
	Components   []string     `toml:"components,omitempty"`
	Mirror       string       `toml:"mirror,omitempty"` // base URL without a trailing slash; "" is the default
	Packages     []string     `toml:"packages,omitempty"`
	Exclude      []string     `toml:"exclude,omitempty"` // globs of absolute paths in order; ** spans directories, a leading ! takes back
	Keep         []string     `toml:"keep,omitempty"`    // globs of absolute paths: private keys that may be in the image, whatever made them
	Debconf      []string     `toml:"debconf,omitempty"` // answers, "PACKAGE QUESTION TYPE VALUE", as debconf-set-selections reads them
	Repositories []Repository `toml:"repository,omitempty"`

	IgnoreValidUntil bool `toml:"-"` // check-valid-until = false: expired indexes are accepted, too
}

// Repository is a [[debian.repository]] table.
type Repository struct {
	Name       string   `toml:"name,omitempty"`  // derived from the URL by default
	URL        string   `toml:"url,omitempty"`   // without a trailing slash
	Suite      string   `toml:"suite,omitempty"` // "stable", or a flat path that ends in "/"
	Components []string `toml:"components,omitempty"`
	Key        string   `toml:"key,omitempty"` // file with the public key, armoured or binary
}

// flat reports whether the repository has no suites, and so no components.
func (r Repository) flat() bool { return strings.HasSuffix(r.Suite, "/") }

// Builder is the [builder] table: the packages for compiling.
type Builder struct {
	Packages []string `toml:"packages,omitempty"`
}

// Python is the [python] table. Names of projects are normalised (PEP 503).
type Python struct {
	Requirements  []string            `toml:"requirements,omitempty"`   // files
	Lock          string              `toml:"lock,omitempty"`           // a pylock.toml or a uv.lock, in place of Requirements
	Project       string              `toml:"project,omitempty"`        // directory of a pyproject.toml whose dependencies are installed, in place of Requirements
	Extras        []string            `toml:"extras,omitempty"`         // of Project or Lock
	Groups        []string            `toml:"groups,omitempty"`         // of Project or Lock; none by default
	Constraints   []string            `toml:"constraints,omitempty"`    // files
	Overrides     []string            `toml:"overrides,omitempty"`      // requirements that replace all others for their projects
	Excludes      []string            `toml:"excludes,omitempty"`       // projects that are left out wherever they are required
	IndexStrategy string              `toml:"index-strategy,omitempty"` // uv's: "first-index", "unsafe-first-match", "unsafe-best-match"
	Sources       []string            `toml:"sources,omitempty"`        // directories
	Optional      []string            `toml:"optional,omitempty"`       // projects that are left out if they can't be built
	Prune         []string            `toml:"prune,omitempty"`          // globs of files of locked packages in order, after the default ones; a leading ! takes back
	Collisions    []string            `toml:"collisions,omitempty"`     // globs of installed files that several wheels may hold
	Compile       bool                `toml:"compile,omitempty"`        // keep headers and libraries for compiling
	Indexes       []Index             `toml:"index,omitempty"`
	BuildRequires map[string][]string `toml:"build-requires,omitempty"` // by project, or by the name of a directory in Sources
}

// Index is a [[python.index]] table.
type Index struct {
	Name     string   `toml:"name,omitempty"`
	URL      string   `toml:"url,omitempty"`
	Packages []string `toml:"packages,omitempty"`
}

// Git is a [[git]] table.
type Git struct {
	URL     string   `toml:"url,omitempty"`
	Commit  string   `toml:"commit,omitempty"` // 40 hexadecimal digits, so that a lock has nothing to add
	Path    string   `toml:"path,omitempty"`
	Subdir  string   `toml:"subdir,omitempty"`  // "" for the whole tree
	Exclude []string `toml:"exclude,omitempty"` // globs below Subdir
}

// Model is a [[model]] table.
type Model struct {
	Name    string            `toml:"name,omitempty"` // "" for a single unnamed one
	From    string            `toml:"from,omitempty"` // "dir:weights", "hf://ORG/NAME@REVISION" or "https://…"
	Path    string            `toml:"path,omitempty"`
	Include []string          `toml:"include,omitempty"`
	Exclude []string          `toml:"exclude,omitempty"`
	Rename  map[string]string `toml:"rename,omitempty"`

	Published string `toml:"published,omitempty"` // "registry.example/model": the only repository that a lock may name for its layers
}

// Local returns the model's directory next to the spec; ok is false for a model that
// must be fetched.
func (m Model) Local() (directory string, ok bool) { return strings.CutPrefix(m.From, "dir:") }

// Request returns what a lock must provide for a model that must be fetched.
func (m Model) Request() lock.ModelRequest {
	return lock.ModelRequest{From: m.From, Path: m.Path, Include: m.Include, Exclude: m.Exclude, Rename: m.Rename}
}

// App is the [app] table.
type App struct {
	Source     string            `toml:"source,omitempty"` // "" if all of the app is in packages
	Path       string            `toml:"path,omitempty"`
	User       User              `toml:"-"`
	Workdir    string            `toml:"workdir,omitempty"`
	Entrypoint []string          `toml:"entrypoint,omitempty"`
	Command    []string          `toml:"command,omitempty"`
	Env        map[string]string `toml:"env,omitempty"`
	Ports      []int             `toml:"ports,omitempty"`
	StopSignal string            `toml:"stop-signal,omitempty"`
	FirstStart bool              `toml:"first-start,omitempty"` // before the app starts, make as root what packages make for one machine

	Labels      map[string]string `toml:"labels,omitempty"` // win over those of title, version and licenses
	Healthcheck Healthcheck       `toml:"healthcheck,omitempty"`
	Volumes     []string          `toml:"volumes,omitempty"` // directories that are volumes of each container
}

// IsZero reports whether the spec describes no app. Keys that only the config holds don't
// make one.
func (a App) IsZero() bool {
	usual := defaultApp()
	a.Labels, a.Healthcheck, a.Volumes = nil, Healthcheck{}, nil
	a.Path, a.Workdir = cmp.Or(a.Path, usual.Path), cmp.Or(a.Workdir, usual.Workdir)
	a.User, a.StopSignal = cmp.Or(a.User, usual.User), cmp.Or(a.StopSignal, usual.StopSignal)
	return reflect.DeepEqual(a, usual)
}

// User is the account that the app runs as. Without a number it is the account of that
// name that a package creates, or else a new one.
type User struct {
	Name string
	UID  int // 0 if there is no number
}

// Smoke is the [smoke] table.
type Smoke struct {
	Imports      []string   `toml:"imports,omitempty"`
	Run          [][]string `toml:"run,omitempty"`
	ELFIgnore    []string   `toml:"elf-ignore,omitempty"` // names of libraries, and globs of absolute paths of files that require libraries
	NeedsWeights bool       `toml:"needs-weights,omitempty"`
	GPU          [][]string `toml:"-"` // run = … of [smoke.gpu]
}
