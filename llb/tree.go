package llb

import (
	"path"

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

// Name is how people know the tree: "Wan2.2 42bf4cfaa384".
func (t Tree) Name() string { return gitName(t.Remote, t.Commit) }

// Layer is the tree as one clean layer, owned by root, with the modes that git
// has. Copied into its folder, the files give that one the time of the build, so
// that a second copy has to set all times.
func (t Tree) Layer() State {
	gathered := bkllb.Scratch().File(bkllb.Copy(Git(t.Remote, t.Commit), path.Join("/", t.Subdir), t.Path, &bkllb.CopyInfo{
		CopyDirContentsOnly: true, CreateDestPath: true, ExcludePatterns: t.Exclude,
	}), bkllb.WithCustomName(t.Name()+": select"))
	return Clean(t.Name()+": one layer", gathered, "/", "/")
}

// Text is a layer of one file, which all may read.
func Text(name, file, content string) State {
	epoch := bkllb.WithCreatedTime(EpochTime())
	made := bkllb.Scratch().File(
		bkllb.Mkdir(path.Dir(file), 0o755, bkllb.WithParents(true), epoch).Mkfile(file, 0o644, []byte(content), epoch),
		bkllb.WithCustomName(name),
	)
	return Clean(name+": one layer", made, "/", "/")
}
