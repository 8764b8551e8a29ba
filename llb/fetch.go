package llb

import (
	"path"
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
		bkllb.WithCustomName("fetch "+filename),
	)
}

// Mirrors maps the name of a Debian repository to the URL that its pool paths
// are relative to.
type Mirrors map[string]string

// Deb is a locked Debian package, from whichever mirror serves its repository.
func (m Mirrors) Deb(p lock.Package) State {
	return Fetch(m.URL(p), digest.NewDigestFromEncoded(digest.SHA256, p.SHA256), path.Base(p.Path))
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
		bkllb.WithCustomName("fetch "+gitName(remote, commit)))
}

func gitName(remote, commit string) string {
	return strings.TrimSuffix(path.Base(remote), ".git") + " " + commit[:min(len(commit), 12)]
}

// Packed is a layer that the client holds. Its content moves to the engine
// when something reads it, and never when it is only merged and pushed to
// where it already is.
func Packed(l Layer) State {
	return bkllb.OCILayout("lamina/packed@"+l.Image.String(),
		bkllb.OCIStore("", StoreID),
		bkllb.WithCustomName("load "+l.Name),
	)
}
