package debian

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"lamina.build/internal/atomicfile"
	"lamina.build/internal/failure"
	"lamina.build/internal/fetch"
)

// Source is a suite of a repository, with the keys that may sign it.
type Source struct {
	Repository string
	Suite      string   // or a flat path that ends in "/"
	Components []string // none for a flat path
	Keys       Keyring
	AnyAge     bool // accept an expired index
}

// Subject names the source in messages.
func (s Source) Subject() string { return fmt.Sprintf("the index of %s %s", s.Repository, s.Suite) }

// brokenIndex is a hint: other mirrors of the repository have the same problem.
const brokenIndex = "the repository's own index is broken: its maintainer must fix it"

// indexLimit is far above any InRelease: sid's has 300 KB.
const indexLimit = 16 << 20

// Release fetches and verifies the index of a source as of now. Without a network, it returns
// the one fetched last as long as that is valid, and calls note.
func (g *Getter) Release(ctx context.Context, m Mirrors, s Source, now time.Time, note func(string)) (Release, error) {
	if m[s.Repository] == "" {
		return Release{}, failure.WithHint(
			failure.New(failure.Usage, fmt.Errorf("%s: no mirror is known for %q", s.Subject(), s.Repository)),
			fmt.Sprintf("name one, as with --debian-mirror %[1]s=https://deb.debian.org/%[1]s", s.Repository),
		)
	}
	r, err := g.signed(ctx, m, s, false, now, note)
	if IsNotFound(err) || isUnreachable(err) && g.hasDetached(m, s) {
		if detached, derr := g.signed(ctx, m, s, true, now, note); !IsNotFound(derr) {
			r, err = detached, derr
		}
	}
	if err != nil {
		return Release{}, explainIndex(s, fmt.Errorf("fetching %s: %w", s.Subject(), err))
	}
	return r, nil
}

// hasDetached reports whether the index fetched last has a detached signature.
func (g *Getter) hasDetached(m Mirrors, s Source) bool {
	_, err := os.Stat(g.latestPath(m.URL(s.Repository, suiteDir(s.Suite)+"/Release.gpg")))
	return err == nil
}

func explainIndex(s Source, err error) error {
	if _, ok := errors.AsType[*signatureError](err); ok {
		return failure.WithHint(err, "something between the signer and this machine changed it (a broken mirror, a proxy, a "+
			"login page), or the key is wrong: choose another mirror with --debian-mirror, or correct the repository's key")
	}
	if IsNotFound(err) { // the user gave a wrong suite or mirror
		err = failure.New(failure.Usage, err)
		if s.Repository == Main || s.Repository == Security {
			err = failure.WithHint(err, "a suite of another distribution is a [[debian.repository]], with its url and key; with suites = [] it provides everything")
		}
	}
	return explain(err)
}

// signed fetches and verifies an index with an inline signature, or with a detached one, as
// some third-party repositories still have.
func (g *Getter) signed(ctx context.Context, m Mirrors, s Source, detached bool, now time.Time, note func(string)) (Release, error) {
	name := suiteDir(s.Suite) + "/InRelease"
	if detached {
		name = suiteDir(s.Suite) + "/Release"
	}
	served, keep, err := g.latest(ctx, m.URL(s.Repository, name), note)
	if err != nil {
		return Release{}, err
	}
	text, signers, keepNextTo := served, []string(nil), func() error { return nil }
	if detached {
		var signature []byte
		if signature, keepNextTo, err = g.latest(ctx, m.URL(s.Repository, name+".gpg"), note); err != nil {
			return Release{}, err
		}
		signers, err = s.Keys.VerifyDetached(name, served, signature, now)
	} else {
		text, signers, err = s.Keys.Verify(name, served, now)
	}
	if err != nil {
		return Release{}, err
	}
	r, err := parseRelease(text)
	if err != nil {
		return Release{}, failure.WithHint(fmt.Errorf("reading %s: %w", name, err), brokenIndex)
	}
	sum := sha256.Sum256(served)
	r.Repository, r.Suite, r.Signers, r.SHA256 = s.Repository, s.Suite, signers, hex.EncodeToString(sum[:])
	if err = r.check(name, now, s.AnyAge); err != nil {
		return Release{}, err
	}
	return r, errors.Join(keep(), keepNextTo())
}

// latest fetches a file that changes under its name, or returns the cached one if it is
// unreachable. The caller calls keep to cache it, once it is verified.
func (g *Getter) latest(ctx context.Context, address string, note func(string)) (data []byte, keep func() error, err error) {
	name := g.latestPath(address)
	data, err = g.Fetch(ctx, address, indexLimit)
	if isUnreachable(err) {
		kept, kerr := os.ReadFile(name) //nolint:gosec // a name made of a hash
		if kerr != nil {
			return nil, nil, err
		}
		note(fmt.Sprintf("can't reach %s: using the copy that was fetched last", fetch.Redact(address)))
		return kept, func() error { return nil }, nil
	}
	keep = func() error {
		return atomicfile.Stream(name, 0o644, func(w io.Writer) error {
			_, werr := w.Write(data)
			return werr
		})
	}
	return data, keep, err
}

// latestPath returns the path of the cached copy of a file that changes under its name.
func (g *Getter) latestPath(address string) string {
	sum := sha256.Sum256([]byte(address))
	return filepath.Join(g.CacheDir, "latest", hex.EncodeToString(sum[:]))
}

// IndexFile is a verified Packages file in the cache, as [Getter.Packages] returns it.
type IndexFile struct {
	Release *Release
	Path    string // below the repository: "dists/bookworm/main/binary-amd64/Packages.gz"
	Local   string // its path in the cache
	Size    int64  // bytes
	SHA256  string // hexadecimal

	getter *Getter
	name   string // in the index
}

// Packages fetches the Packages files of a release that list packages for arch.
func (g *Getter) Packages(ctx context.Context, m Mirrors, r *Release, components []string, arch string) ([]IndexFile, error) {
	names, err := r.packagesFiles(components, arch)
	if err != nil {
		return nil, fmt.Errorf("reading the index of %s %s: %w", r.Repository, r.Suite, err)
	}
	found := make([]IndexFile, 0, len(names))
	for _, name := range names {
		local, err := g.indexFile(ctx, m, r, name)
		if err != nil {
			return nil, explain(fmt.Errorf("fetching packages of %s %s: %w", r.Repository, r.Suite, err))
		}
		f := IndexFile{Release: r, Path: path.Join(r.Dir(), name), Local: local, Size: r.Files[name].Size, SHA256: r.Files[name].SHA256, getter: g, name: name}
		if f.SHA256 == "" { // the release has another kind of hash
			if f.SHA256, err = SHA256(local); err != nil {
				return nil, err
			}
		}
		found = append(found, f)
	}
	return found, nil
}

// indexFile fetches a file of the index by its hash if the mirror supports it: the content
// under that name never changes during an update of the mirror.
func (g *Getter) indexFile(ctx context.Context, m Mirrors, r *Release, name string) (string, error) {
	want := r.Files[name]
	if r.ByHash {
		algorithm, sum := want.promised()
		byHash := path.Join(r.Dir(), path.Dir(name), "by-hash", strings.ToUpper(algorithm), sum)
		local, err := g.Get(ctx, m.URL(r.Repository, byHash), want)
		if !IsNotFound(err) {
			return local, err
		}
	}
	return g.Get(ctx, m.URL(r.Repository, path.Join(r.Dir(), name)), want)
}

// packagesFiles names the files to fetch, relative to the index.
func (r *Release) packagesFiles(components []string, arch string) ([]string, error) {
	if r.Flat() {
		name, ok := r.best("Packages")
		if !ok {
			return nil, fmt.Errorf("it lists no Packages file")
		}
		return []string{name}, nil
	}
	var names []string
	var problems []error
	for _, c := range components {
		name, ok := r.best(c + "/binary-" + arch + "/Packages")
		if !ok {
			problems = append(problems, r.missing(c, arch))
			continue
		}
		names = append(names, name)
		// If packages for all have a separate index, apt reads both.
		if all, ok := r.best(c + "/binary-all/Packages"); ok && slices.Contains(r.Architectures, "all") && !r.NoSeparateAll {
			names = append(names, all)
		}
	}
	return names, errors.Join(problems...)
}

func (r *Release) missing(component, arch string) error {
	if !slices.Contains(r.Components, component) {
		return failure.New(failure.Usage, failure.WithHint(
			fmt.Errorf("it has no component %q", component), "its components are "+strings.Join(r.Components, ", "),
		))
	}
	return failure.New(failure.Usage, failure.WithHint(
		fmt.Errorf("its component %q has no packages for %s", component, arch),
		"its architectures are "+strings.Join(r.Architectures, ", "),
	))
}

// best chooses among the compressions of a file. gzip is a third larger than xz and unpacks
// five times as fast: it is faster on all but slow connections.
func (r *Release) best(name string) (string, bool) {
	for _, suffix := range []string{".gz", ".xz", ".zst", ".bz2", ""} {
		if _, ok := r.Files[name+suffix]; ok {
			return name + suffix, true
		}
	}
	return "", false
}

// Package fetches a .deb into the cache.
func (g *Getter) Package(ctx context.Context, m Mirrors, p *Package) (string, error) {
	local, err := g.Get(ctx, m.URL(p.Release.Repository, p.Filename), File{Size: p.Size, SHA256: p.SHA256, SHA512: p.SHA512})
	if err != nil {
		return "", explain(fmt.Errorf("fetching package %s: %w", p, err))
	}
	return local, nil
}
