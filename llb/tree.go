package llb

import (
	"path"
	"slices"

	bkllb "github.com/moby/buildkit/client/llb"
)

// Tree is what of a git commit goes into an image.
type Tree struct {
	Remote  string   // "https://…"
	Commit  string   // 40 hexadecimal digits
	Subdir  string   // of the repository; "" for all of it
	Exclude []string // patterns as of a .dockerignore, below Subdir
	Path    string   // absolute: the folder in the image
}

// gitLinks are the files that BuildKit leaves in submodules, with a path of the
// engine in them.
const gitLinks = "**/.git"

// Name is how people know the tree: "Wan2.2 42bf4cfaa384".
func (t Tree) Name() string { return gitName(t.Remote, t.Commit) }

// Layer is the tree as one clean layer, owned by root, with the modes that git
// has; submodules are in it. Copied into its folder, the files give that one the time
// of the build, so that a second copy has to set all times.
func (t Tree) Layer() State {
	gathered := bkllb.Scratch().File(bkllb.Copy(Git(t.Remote, t.Commit), path.Join("/", t.Subdir), t.Path, &bkllb.CopyInfo{
		CopyDirContentsOnly: true, CreateDestPath: true, ExcludePatterns: append(slices.Clone(t.Exclude), gitLinks),
	}), bkllb.WithCustomName(t.Name()+": select"))
	return Clean(t.Name()+": one layer", gathered, "/", "/")
}
