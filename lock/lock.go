// Package lock is image.lock: everything that a build fetches, pinned by
// digest, with the wishes that it answers.
//
// A lock is a value. [Parse] and [Lock.Format] are inverse to each other, so a
// lock that nobody touched is rewritten to the same bytes; [Lock.Drift] says
// where a lock no longer answers a spec.
package lock

import (
	"time"

	"github.com/opencontainers/go-digest"
)

// Version is the lock format that this package writes, and the one that a build
// takes. What each brought:
//
//	1  Debian packages, Python distributions, models
//	2  uv, the index and the top-level names of each Python distribution
const Version = 2

// Lock is the content of an image.lock.
type Lock struct {
	Wishes
	Releases      []Release      // sorted by Repository, Suite
	Packages      []Package      // sorted by Name, Version, Architecture
	Distributions []Distribution // sorted by Name, Version, File
	UV            UV             // zero where no Python distribution is asked for
	Omitted       []Omission     // sorted by Set, Requirement
	Models        []Model        // sorted by what was asked for
}

// Wishes is the part of a spec that a lock answers.
type Wishes struct {
	Platform     string       // "linux/amd64"
	Suites       []string     // in the order of the spec: "bookworm", "bookworm-security"
	Components   []string     // in the order of the spec: "main", "non-free"
	Repositories []Repository // further ones, sorted by Name
	Requests     []Request    // sorted by Set
	Python       []PythonRequest
	Weights      []ModelRequest
}

// Repository is a signed Debian repository beside the distribution's own.
type Repository struct {
	Name       string   // of the spec or made from URL; never "debian" nor "debian-security"
	URL        string   // base that pool paths are relative to
	Suite      string   // "stable", or a flat path that ends in "/"
	Components []string // empty for a flat path
	Key        digest.Digest
}

// Request asks for packages, and all that they need, as one set.
type Request struct {
	Set      Set
	Packages []string // sorted
}

// Release is a signed index that the packages were taken from.
type Release struct {
	Repository string // "debian", "debian-security", or a Repository's name
	Suite      string
	Date       time.Time // of the InRelease, UTC
	SHA256     string    // of the InRelease as served, hexadecimal
	Signers    []string  // fingerprints of the keys that signed it, upper case, sorted
}

// Package is one .deb.
type Package struct {
	Name         string
	Version      string // Debian's, with epoch
	Architecture string // "amd64", "all"
	Repository   string // "debian", "debian-security", or a Repository's name
	Path         string // below the repository's base: "pool/main/a/adduser/adduser_3.134_all.deb"
	Size         int64  // bytes
	SHA256       string // hexadecimal
	For          []Set
}
