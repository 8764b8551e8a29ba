package lock

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/opencontainers/go-digest"
)

// CommitPattern is a regular expression for git's name of a commit.
const CommitPattern = `[0-9a-f]{40}`

var (
	gitCommit   = regexp.MustCompile(`^` + CommitPattern + `$`)
	projectName = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	debianWord  = regexp.MustCompile(`^[A-Za-z0-9.+~:_-]*$`)
	fileName    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._+!-]*$`)
)

// IsCommit reports whether name can be git's name of a commit.
func IsCommit(name string) bool { return gitCommit.MatchString(name) }

// IsFileName reports whether name can be the file of a distribution. The names of wheels
// are specified; archives may have almost any name: "pkg@1.0 (2).zip".
func IsFileName(name string) bool {
	if strings.HasSuffix(name, ".whl") {
		return fileName.MatchString(name)
	}
	isOdd := func(r rune) bool { return !unicode.IsPrint(r) || strings.ContainsRune(`/\#`, r) }
	return name != "" && !strings.ContainsRune(".-", rune(name[0])) && !strings.ContainsFunc(name, isOdd) && utf8.ValidString(name)
}

// problems are the problems of an entry.
type problems []error

// when adds a problem under a condition.
func (f *problems) when(wrong bool, format string, args ...any) {
	if wrong {
		*f = append(*f, fmt.Errorf(format, args...))
	}
}

// in adds the problems of an entry, if any.
func (f *problems) in(err error, format string, args ...any) {
	if err != nil {
		*f = append(*f, fmt.Errorf(format+": %w", append(args, err)...))
	}
}

// check reports the problems of a lock, for each platform.
func (l Lock) check(version int) error {
	var f problems
	seen := map[string]bool{}
	for i, one := range l.Each() {
		f.when(seen[one.Platform], "platform %s: listed twice", one.Platform)
		seen[one.Platform] = true
		if i == 0 {
			f = append(f, one.checkOne(version))
			continue
		}
		one.Models = nil // already checked
		f.in(one.checkOne(version), "platform %s", one.Platform)
	}
	return errors.Join(append(f, l.checkSizes())...)
}

// checkOne reports every entry that no resolver writes: a path that escapes its
// repository, an invalid hash, a set that was not requested, a wrong order.
// Only formats since 2 have uv, and since 3 layers of models.
func (l Lock) checkOne(version int) error {
	var f problems
	for _, r := range l.Requests {
		f.when(!r.Set.Kind.isDebian(), "requests of packages: there is no set %q", r.Set)
	}
	for _, r := range l.Python {
		f.when(r.Set.Kind != SetPython, "requests of distributions: there is no set %q", r.Set)
	}
	for _, r := range l.Releases {
		f.when(!isSHA256(r.SHA256), "release %s %s: %q is not a sha256", r.Repository, r.Suite, r.SHA256)
	}
	f = append(f, l.checkRecord()...)
	for _, p := range l.Packages {
		f.in(errors.Join(p.check(), l.checkSets(p.For, false, false)), "package %s %s", p.Name, p.Version)
	}
	f.when(!slices.IsSortedFunc(l.Packages, comparePackages), "packages are not sorted by name, version and architecture")
	for _, p := range l.Provided {
		_, ok := Find(l.Packages, p.By)
		f.when(!ok || !debianWord.MatchString(p.Name), "%q is not locked, which would provide %q", p.By, p.Name)
	}
	f.when(!slices.IsSortedFunc(l.Provided, compareProvisions), "what packages provide is not sorted by name")
	for _, d := range l.Distributions {
		f.in(errors.Join(d.check(), l.checkSets(d.For, true, d.IsWheel())), "distribution %s %s", d.Name, d.Version)
	}
	f.when(!slices.IsSortedFunc(l.Distributions, compareDistributions), "distributions are not sorted by name, version and file")
	f = append(f, l.checkTwins()...)
	for _, m := range l.Models {
		f.in(m.check(version), "model %s", m.From)
	}
	f.when(!slices.IsSortedFunc(l.Models, compareModels), "models are not sorted")
	if version > 1 && (l.UV != (UV{}) || len(l.Distributions) > 0) {
		f = append(f, l.UV.check())
	}
	return errors.Join(f...)
}

// most bounds the size of all files of a lock, in bytes: far more than any image, and no
// sum of locked sizes can overflow.
const most = 1 << 50

func (l Lock) checkSizes() error {
	left := int64(most)
	take := func(sizes ...int64) {
		for _, n := range sizes {
			left -= min(max(n, 0), left+1)
		}
	}
	for _, one := range l.Each() {
		take(one.UV.Size)
		for _, p := range one.Packages {
			take(p.Size)
		}
		for _, d := range one.Distributions {
			take(d.Size, d.Unpacked)
		}
	}
	for _, m := range l.Models {
		for _, file := range m.Files {
			take(file.Size)
		}
		for _, layer := range m.Layers {
			take(layer.Size)
		}
	}
	if left < 0 {
		return errors.New("its sizes add up to more than a petabyte")
	}
	return nil
}

// checkSets requires at least one set, all of them requested and either of packages or of
// distributions. Build requirements must not require building themselves.
func (l Lock) checkSets(sets []Set, python, ready bool) error {
	var f problems
	f.when(len(sets) == 0, "it is in no set")
	for _, s := range sets {
		switch {
		case s.Kind.isPython() != python || !l.asks(s):
			f = append(f, fmt.Errorf("set %q was not requested", s))
		case s.Kind == SetBuild && !ready:
			f = append(f, fmt.Errorf("set %q of build requirements has a file that must be built itself", s))
		}
	}
	return errors.Join(f...)
}

func (p Package) check() error {
	var f problems
	f.when(p.Name == "" || p.Version == "" || p.Architecture == "", "name, version and arch must be given")
	f.when(!debianWord.MatchString(p.Version+p.Name+p.Architecture), "name %q, version %q or arch %q is not valid in Debian", p.Name, p.Version, p.Architecture)
	f.when(!isSHA256(p.SHA256), "%q is not a sha256", p.SHA256)
	f.when(p.Size <= 0, "size %d is not positive", p.Size)
	f.when(!staysBelow(p.Path), "path %q does not stay below the repository", p.Path)
	return errors.Join(f...)
}

func (d Distribution) check() error {
	var f problems
	f.when(!projectName.MatchString(d.Name) || d.Version == "", "name must be normalised and version must be given")
	if _, commit, below, ok := d.Git(); ok {
		f.when(!IsCommit(commit) || d.File != "" || d.Size != 0 || d.SHA256 != "", "%q names no commit, or is a file as well", d.URL)
		f.when(below != "" && !staysBelow(below), "subdirectory %q does not stay in its tree", below)
		return errors.Join(append(f, checkURL(d.URL))...)
	}
	f.when(!IsFileName(d.File), "file %q is not a file's name", d.File)
	f.when(!isSHA256(d.SHA256), "%q is not a sha256", d.SHA256)
	f.when(d.Metadata != "" && (!isSHA256(d.Metadata) || !d.IsWheel()), "metadata %q is not the sha256 of a wheel's", d.Metadata)
	f.when(d.Size <= 0 || d.Unpacked < 0, "size %d or unpacked %d is not positive", d.Size, d.Unpacked)
	_, isLocal := d.Local()
	f.when(isLocal && d.Size > LocalLimit, "size %d is more than a file next to the spec may have", d.Size)
	_, below := d.Archive()
	f.when(below != "" && (d.IsWheel() || !staysBelow(below)), "subdirectory %q does not stay in its archive", below)
	if d.Index != "" {
		f = append(f, checkURL(d.Index))
	}
	for _, top := range d.Top {
		f.when(!staysBelow(top) || strings.Contains(top, "/"), "top-level name %q is invalid", top)
	}
	return errors.Join(append(f, checkURL(d.URL))...)
}

// checkTwins reports sets that hold two versions of one project.
func (l Lock) checkTwins() (f problems) {
	seen := map[[2]string]bool{}
	for _, d := range l.Distributions {
		for _, s := range d.For {
			key := [2]string{s.String(), d.Name}
			f.when(seen[key], "distribution %s: set %q holds it twice", d.Name, s)
			seen[key] = true
		}
	}
	return f
}

func (u UV) check() error {
	if u.Version == "" || !fileName.MatchString(u.File) || !isSHA256(u.SHA256) || u.Size <= 0 {
		return fmt.Errorf("uv: version %q, file %q, size %d or sha256 %q is invalid", u.Version, u.File, u.Size, u.SHA256)
	}
	return checkURL(u.URL)
}

func (m Model) check(version int) error {
	f := make(problems, 0, len(m.Files))
	_, _, hub := m.Repository()
	switch {
	case hub && !IsCommit(m.Commit):
		f.when(true, "%q is not a commit", m.Commit)
	case !path.IsAbs(m.Path) || path.Clean(m.Path) != m.Path:
		f.when(true, "path %q is not absolute and clean", m.Path)
	case digest.Digest(m.Digest).Validate() != nil:
		f.when(true, "%q is not a digest", m.Digest)
	case m.List != "" && (hub || digest.Digest(m.List).Validate() != nil):
		f.when(true, "list %q is not a digest", m.List)
	case m.Plan <= 0:
		f.when(true, "plan %d is not positive", m.Plan)
	case len(m.Files) == 0:
		f.when(true, "it has no files")
	}
	_, sum, ok := strings.Cut(m.Published, "@")
	f.when(m.Published != "" && (!ok || digest.Digest(sum).Validate() != nil), "published %q has no digest", m.Published)
	f.when(m.Published != "" && len(m.Layers) == 0 && version > 2, "published %q, but it has no layers", m.Published)
	f = append(f, m.checkLayers()...)
	for i, file := range m.Files {
		f = append(f, file.check(hub))
		f.when(i > 0 && m.Files[i-1].Path >= file.Path, "file %q is listed twice, or files are not sorted", file.Path)
	}
	return errors.Join(f...)
}

// checkLayers requires layers that can hold the files, uncompressed in uncompressed tars.
func (m Model) checkLayers() (f problems) {
	var size int64
	for i, l := range m.Layers {
		f.when(l.Digest.Validate() != nil || l.Digest.Algorithm() != digest.SHA256, "layer %d: %q is not a digest", i+1, l.Digest)
		f.when(l.DiffID != l.Digest, "layer %d: its digest is %s and its diffid %s, as if it were compressed", i+1, l.Digest, l.DiffID)
		f.when(l.Size <= 0, "layer %d: size %d is not positive", i+1, l.Size)
		size += max(l.Size, 0)
	}
	f.when(len(m.Layers) > len(m.Files), "%d layers for %d files", len(m.Layers), len(m.Files))
	f.when(len(m.Layers) > 0 && size <= m.Size(), "layers of %d bytes for files of %d", size, m.Size())
	return f
}

func (m ModelFile) check(hub bool) error {
	var f problems
	f.when(!fs.ValidPath(m.Path) || m.Path == "." || strings.ContainsRune(m.Path, 0), "file %q does not stay in the model", m.Path)
	f.when(strings.Contains("/"+m.Path, "/.wh."), "file %q: names with .wh. in front remove files of an image", m.Path)
	f.when(m.Size < 0 || !isSHA256(m.SHA256), "file %q: size %d is negative, or %q is not a sha256", m.Path, m.Size, m.SHA256)
	f.when(hub != (m.URL == ""), "file %q: only files of the hub have no url", m.Path)
	if m.URL != "" {
		f = append(f, checkURL(m.URL))
	}
	return errors.Join(f...)
}

// checkURL requires an address without a login.
func checkURL(address string) error {
	if local, ok := strings.CutPrefix(address, "file:"); ok {
		if !staysBelow(local) {
			return fmt.Errorf("%q does not stay next to the spec", address)
		}
		return nil
	}
	u, err := url.Parse(strings.TrimPrefix(address, "git+"))
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return fmt.Errorf("url %q is neither http nor https", address)
	case u.User != nil:
		return fmt.Errorf("url %q holds a login", u.Redacted())
	}
	return nil
}

func isSHA256(s string) bool { return len(s) == 64 && strings.Trim(s, "0123456789abcdef") == "" }

func staysBelow(p string) bool {
	return p != "." && path.Clean(p) == p && !path.IsAbs(p) && p != ".." && !strings.HasPrefix(p, "../")
}
