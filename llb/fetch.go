package llb

import (
	"path"
	"slices"
	"strings"

	bkllb "github.com/moby/buildkit/client/llb"
	"github.com/opencontainers/go-digest"

	"lamina.build/lock"
)

// Fetch is a file from the network, verified against its digest. The digest
// alone is BuildKit's cache key: another mirror of the same file costs nothing.
func Fetch(url string, sum digest.Digest, filename string) State {
	return bkllb.HTTP(url,
		bkllb.Checksum(sum),
		bkllb.Filename(filename),
		bkllb.Chmod(0o644),
		bkllb.WithCustomName(FetchName(filename)), here(),
	)
}

// FetchName is what the progress calls the fetching of a file.
func FetchName(filename string) string { return "fetch " + filename }

// Mirrors maps the name of a Debian repository to the URL that its pool paths
// are relative to.
type Mirrors map[string]string

// Deb is a locked Debian package, from whichever mirror serves its repository.
func (m Mirrors) Deb(p lock.Package) State {
	return Fetch(m.URL(p), digest.NewDigestFromEncoded(digest.SHA256, p.SHA256), p.FileName())
}

// URL returns where p is to be had. A plus sign is escaped as apt does it,
// since object stores read a bare one as a space.
func (m Mirrors) URL(p lock.Package) string {
	return strings.TrimSuffix(m[p.Repository], "/") + "/" + strings.ReplaceAll(p.Path, "+", "%2B")
}

// Git is the tree of a commit, without its history. BuildKit's default gives
// its files the time of the checkout, so that it never is a layer as it is.
func Git(remote, commit string) State {
	return bkllb.Git(remote, "", bkllb.GitRef(commit), bkllb.GitChecksum(commit),
		bkllb.WithCustomName("fetch "+gitName(remote, commit)), here())
}

// BundleName is what [Bundle] calls its file.
const BundleName = "bundle"

// Bundle is a commit without its submodules, as a file for git at the root.
func Bundle(remote, commit string) State {
	return bkllb.Git(remote, "", bkllb.GitRef(commit), bkllb.GitChecksum(commit), bkllb.GitCheckoutBundle(),
		bkllb.WithCustomName("bundle "+gitName(remote, commit)), here())
}

func gitName(remote, commit string) string {
	return strings.TrimSuffix(path.Base(remote), ".git") + " " + commit[:min(len(commit), 12)]
}

// Tree is what of a git commit goes into an image.
type Tree struct {
	Remote  string   // "https://…"
	Commit  string   // 40 hexadecimal digits
	Subdir  string   // of the repository; "" for all of it
	Exclude []string // patterns as of a .dockerignore, below Subdir
	Path    string   // absolute: the directory in the image
}

// gitLinks are the files that BuildKit leaves in submodules, with a path of the
// engine in them.
const gitLinks = "**/.git"

// Name is how people know the tree: "Wan2.2 42bf4cfaa384".
func (t Tree) Name() string { return gitName(t.Remote, t.Commit) }

// State is the tree as one clean layer, owned by root, with the modes that git
// has; submodules are in it. Copied into its directory, the files give that one the time
// of the build, so that a second copy has to set all times.
func (t Tree) State() State {
	gathered := bkllb.Scratch().File(bkllb.Copy(Git(t.Remote, t.Commit), path.Join("/", t.Subdir), t.Path, &bkllb.CopyInfo{
		CopyDirContentsOnly: true, CreateDestPath: true, ExcludePatterns: append(slices.Clone(t.Exclude), gitLinks),
	}), bkllb.WithCustomName(t.Name()+": select"), here())
	return Clean(t.Name()+": one layer", gathered, "/", "/")
}
