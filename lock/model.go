package lock

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
)

// ModelPlan is the version of the rules by which this package's users divide a model's
// files into layers. Other rules give other layers, so that models published under
// old rules are useless under new ones.
const ModelPlan = 1

// ModelRequest requests a model's files and sets their place in the image.
type ModelRequest struct {
	From    string            `toml:"from"`    // "hf://ORG/NAME@REVISION" or the "https://…" of a list
	Path    string            `toml:"path"`    // absolute: the directory in the image
	Include []string          `toml:"include"` // patterns as in a .dockerignore; empty is all files
	Exclude []string          `toml:"exclude"`
	Rename  map[string]string `toml:"rename"` // of files, by their names in the model
}

// Model is the result of a [ModelRequest].
type Model struct {
	ModelRequest
	Commit    string       `toml:"commit"`    // of a model from the hub, 40 hexadecimal digits; "" for others
	List      string       `toml:"list"`      // "sha256:…" of the list that names the files; "" for a model from the hub
	License   string       `toml:"license"`   // SPDX expression for what its card declares; "" if it declares none
	Plan      int          `toml:"plan"`      // [ModelPlan] of the program that locked it
	Digest    string       `toml:"digest"`    // sha256 of the files and their paths, independent of layers: "sha256:…"
	Published string       `toml:"published"` // "registry.example/model@sha256:…"; "" if the layers are in no registry
	Layers    []ModelLayer `toml:"layers"`    // as [ModelPlan] divides the files; none until they have been made once
	Files     []ModelFile  `toml:"files"`     // sorted by Path
}

// ModelLayer is one layer of a model: an uncompressed tar, so that both digests are equal.
type ModelLayer struct {
	Size   int64         `toml:"size"`   // bytes of the blob
	Digest digest.Digest `toml:"digest"` // of the blob
	DiffID digest.Digest `toml:"diffid"` // of the tar
}

// ModelFile is one file of a model.
type ModelFile struct {
	Size   int64  `toml:"size"`   // bytes
	SHA256 string `toml:"sha256"` // hexadecimal
	Path   string `toml:"path"`   // in the model, before renaming; relative and clean
	URL    string `toml:"url"`    // "" for a file of the hub, whose address follows from repository and commit
}

// Model returns the lock's model for a request.
func (l Lock) Model(r ModelRequest) (Model, bool) {
	i := slices.IndexFunc(l.Models, func(m Model) bool { return m.Compare(r) == 0 })
	if i < 0 {
		return Model{}, false
	}
	return l.Models[i], true
}

// Size returns the size of all files, in bytes.
func (m Model) Size() (size int64) {
	for _, f := range m.Files {
		size += f.Size
	}
	return size
}

// Name returns the common name of a model: "ORG/NAME", or the last part of an address.
func (r ModelRequest) Name() string {
	if repository, _, ok := r.Repository(); ok {
		return repository
	}
	return path.Base(path.Dir(strings.TrimPrefix(r.From, "https:")))
}

// Repository returns the name of a model on the hub, "ORG/NAME"; ok is false for others.
func (r ModelRequest) Repository() (repository, revision string, ok bool) {
	rest, ok := strings.CutPrefix(r.From, "hf://")
	repository, revision, _ = strings.Cut(rest, "@")
	return repository, revision, ok
}

// Target returns the path of a file of the model in the image, relative to Path.
func (r ModelRequest) Target(path string) string {
	if to, ok := r.Rename[path]; ok {
		return to
	}
	return path
}

// ModelVariables returns the environment variables with the paths of a model and of the
// list of its files: MODEL_PATH and MODEL_LIST, or MODEL_PATH_NAME and MODEL_LIST_NAME
// for one with a name.
func ModelVariables(name string) (path, list string) {
	suffix := ""
	if name != "" {
		suffix = "_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
	}
	return "MODEL_PATH" + suffix, "MODEL_LIST" + suffix
}

// Compare orders requests, and returns 0 for equal ones.
func (r ModelRequest) Compare(other ModelRequest) int { return cmp.Compare(r.line(), other.line()) }

// line formats r for people, with everything that distinguishes requests; names are
// quoted, since they may hold anything.
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
