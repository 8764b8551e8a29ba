package llb

import (
	"path"
	"slices"
	"strings"

	bkllb "github.com/moby/buildkit/client/llb"
	"github.com/opencontainers/go-digest"

	"lamina.build/lock"
)

// Fetch returns a file from the network, verified against its digest. BuildKit's cache key is
// only the digest: another mirror of the same file costs nothing.
func Fetch(url string, sum digest.Digest, filename string) State {
	return bkllb.HTTP(url,
		bkllb.Checksum(sum),
		bkllb.Filename(filename),
		bkllb.Chmod(0o644),
		bkllb.WithCustomName(FetchName(filename)), here(),
	)
}

// FetchName returns the name of a file's download in the progress.
func FetchName(filename string) string { return "fetch " + filename }

// Mirrors maps the name of a Debian repository to the URL that its pool paths are relative to.
type Mirrors map[string]string

// Deb returns a locked Debian package, from the mirror of its repository.
func (m Mirrors) Deb(p lock.Package) State {
	return Fetch(m.URL(p), digest.NewDigestFromEncoded(digest.SHA256, p.SHA256), p.FileName())
}

// URL returns the URL of p. It escapes plus signs as apt does, since object stores read a bare
// one as a space.
func (m Mirrors) URL(p lock.Package) string {
	return strings.TrimSuffix(m[p.Repository], "/") + "/" + strings.ReplaceAll(p.Path, "+", "%2B")
}

// Git returns the tree of a commit, without its history. Its files have the time of BuildKit's
// checkout, so it is never used directly as a layer.
func Git(remote, commit string) State {
	return bkllb.Git(remote, "", bkllb.GitRef(commit), bkllb.GitChecksum(commit),
		bkllb.WithCustomName("fetch "+gitName(remote, commit)), here())
}

// Submodule is a commit of another repository at a path of a tree.
type Submodule struct {
	Path   string
	Remote string
	Commit string
}

// GitFiles returns the tree of a commit without its submodules, and git's own files in .git,
// of which "index" lists them.
func GitFiles(remote, commit string) State {
	return bkllb.Git(remote, "", bkllb.GitRef(commit), bkllb.GitChecksum(commit), bkllb.KeepGitDir(), bkllb.GitSkipSubmodules(),
		bkllb.WithCustomName("fetch "+gitName(remote, commit)), here())
}

// GitOf returns what [Git] does, put together from the trees of single commits; submodules
// returns the submodules of each.
func GitOf(remote, commit string, submodules func(commit string) []Submodule) State {
	tree := bkllb.Git(remote, "", bkllb.GitRef(commit), bkllb.GitChecksum(commit), bkllb.GitSkipSubmodules(),
		bkllb.WithCustomName("fetch "+gitName(remote, commit)), here())
	for _, m := range submodules(commit) {
		tree = tree.File(bkllb.Copy(GitOf(m.Remote, m.Commit, submodules), "/", path.Join("/", m.Path), &bkllb.CopyInfo{
			CopyDirContentsOnly: true, CreateDestPath: true,
		}), bkllb.WithCustomName(gitName(remote, commit)+": "+m.Path), here())
	}
	return tree
}

// BundleName is the name of [Bundle]'s file.
const BundleName = "bundle"

// Bundle returns a commit without its submodules, as a git bundle at the root.
func Bundle(remote, commit string) State {
	return bkllb.Git(remote, "", bkllb.GitRef(commit), bkllb.GitChecksum(commit), bkllb.GitCheckoutBundle(),
		bkllb.WithCustomName("bundle "+gitName(remote, commit)), here())
}

func gitName(remote, commit string) string {
	return strings.TrimSuffix(path.Base(remote), ".git") + " " + commit[:min(len(commit), 12)]
}

// Tree is the part of a git commit that goes into an image.
type Tree struct {
	Remote  string   // "https://…"
	Commit  string   // 40 hexadecimal digits
	Subdir  string   // of the repository; "" for all of it
	Exclude []string // patterns as in a .dockerignore, below Subdir
	Path    string   // absolute: the directory in the image
}

// gitLinks matches the files that BuildKit leaves in submodules, which hold a path of the engine.
const gitLinks = "**/.git"

// Name returns the tree's name for people: "Wan2.2 42bf4cfaa384".
func (t Tree) Name() string { return gitName(t.Remote, t.Commit) }

// State returns the tree as one clean layer, owned by root, with git's modes and with its
// submodules. The first copy gives the directory the time of the build, so a second copy
// must set all times.
func (t Tree) State() State {
	gathered := bkllb.Scratch().File(bkllb.Copy(Git(t.Remote, t.Commit), path.Join("/", t.Subdir), t.Path, &bkllb.CopyInfo{
		CopyDirContentsOnly: true, CreateDestPath: true, ExcludePatterns: append(slices.Clone(t.Exclude), gitLinks),
	}), bkllb.WithCustomName(t.Name()+": select"), here())
	return Clean(t.Name()+": one layer", gathered, "/", "/")
}
