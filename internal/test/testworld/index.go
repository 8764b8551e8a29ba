package testworld

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Distribution is what a package index offers: a [Wheel] or an [Sdist].
type Distribution interface {
	FileName() string
	Write(t testing.TB, path string)
	listing() listing
}

// listing is what a page says about a file beyond its bytes.
type listing struct {
	project, version, requiresPython, yanked string
	metadata                                 string // none if empty
}

// listed is a file as listed on the pages.
type listed struct {
	listing

	name, disk, sha256 string
	size               int64
}

// IndexOptions describes a package index. The zero value is usable.
type IndexOptions struct {
	Path           string // below the world: "simple"
	JSON           bool   // pages are JSON for clients that accept it
	NoHashes       bool
	Relative       bool // links are relative to the page
	Metadata       bool // the metadata of wheels is next to them
	Immutable      bool // clients may cache files, as those of PyPI; pip caches no others
	User, Password string
	OpenFiles      bool // the files need no password
	RedirectFiles  bool // the files are on another host, behind a redirect
}

// Index is an index of Python packages.
type Index struct {
	IndexOptions

	URL   string // without a trailing slash and without the password
	Files *World // has the files below "files": the index's world, or another one

	world  *World
	dir    string
	listed []*listed
}

// Index publishes an index with the given distributions.
func (w *World) Index(o IndexOptions, dists ...Distribution) *Index {
	w.t.Helper()
	o.Path = or(o.Path, "simple")
	x := &Index{IndexOptions: o, URL: w.URL + "/" + o.Path, Files: w, world: w, dir: w.t.TempDir()}
	if o.RedirectFiles {
		x.Files = NewAt(w.t, "127.0.0.2:0") // another host than the index's
	}
	if o.User != "" {
		w.Protect(o.Path, o.User, o.Password)
		w.Protect(x.linksPath(), o.User, o.Password)
	}
	if o.User != "" && !o.OpenFiles {
		w.Protect(path.Dir(x.FilePath("x")), o.User, o.Password)
	}
	x.Publish(dists...)
	return x
}

// FilePath returns the path of a file below the world; its metadata has ".metadata" appended.
func (x *Index) FilePath(fileName string) string { return x.Path + "-files/" + fileName }

func (x *Index) linksPath() string { return x.Path + "-links.html" }

// FileURL returns the address of a file as listed on the pages.
func (x *Index) FileURL(fileName string) string {
	return x.world.URL + "/" + escapedPath(x.FilePath(fileName))
}

// escapedPath also escapes the plus of a local version, as other indexes do.
func escapedPath(name string) string {
	return strings.ReplaceAll((&url.URL{Path: name}).EscapedPath(), "+", "%2B")
}

// FindLinks returns the address of a single page that lists all files.
func (x *Index) FindLinks() string { return x.world.URL + "/" + x.linksPath() }

// Login returns an address of the index with user and password.
func (x *Index) Login(address string) string {
	login := url.UserPassword(x.User, x.Password).String()
	return strings.Replace(address, "://", "://"+login+"@", 1)
}

// Publish adds or replaces distributions, and renews the pages.
func (x *Index) Publish(dists ...Distribution) {
	x.world.t.Helper()
	for _, d := range dists {
		x.add(d)
	}
	x.renew()
}

func (x *Index) add(d Distribution) {
	t := x.world.t
	t.Helper()
	disk, err := os.MkdirTemp(x.dir, "") // one being downloaded isn't overwritten
	if err != nil {
		t.Fatal(err)
	}
	l := &listed{listing: d.listing(), name: d.FileName()}
	l.disk = filepath.Join(disk, l.name)
	d.Write(t, l.disk)
	l.sha256, l.size = sumFile(t, l.disk)
	x.serve(l.name, file{disk: l.disk, kind: "application/octet-stream", keep: x.Immutable})
	if x.Metadata && l.metadata != "" {
		x.serve(l.name+".metadata", file{data: []byte(l.metadata), kind: "application/octet-stream"})
	}
	x.listed = slices.DeleteFunc(x.listed, func(old *listed) bool { return old.name == l.name })
	x.listed = append(x.listed, l)
}

func (x *Index) serve(name string, f file) {
	x.Files.put(x.FilePath(name), f)
	if x.Files != x.world {
		x.world.put(x.FilePath(name), file{location: x.Files.URL + "/" + escapedPath(x.FilePath(name))})
	}
}

func sumFile(t testing.TB, name string) (sum string, size int64) {
	t.Helper()
	f, err := os.Open(name) //nolint:gosec // just written
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h := sha256.New()
	if size, err = io.Copy(h, f); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", h.Sum(nil)), size
}

// Remove removes a file, which the pages still list.
func (x *Index) Remove(fileName string) {
	x.world.Remove(x.FilePath(fileName))
	for _, l := range x.listed {
		if l.name == fileName {
			_ = os.Remove(l.disk) // only to free space
		}
	}
}

// Lie makes the pages list a wrong hash for a file.
func (x *Index) Lie(fileName string) {
	x.world.t.Helper()
	i := slices.IndexFunc(x.listed, func(l *listed) bool { return l.name == fileName })
	if i < 0 {
		x.world.t.Fatalf("%s is not in the index", fileName)
	}
	x.listed[i].sha256 = fmt.Sprintf("%x", sha256.Sum256([]byte("a lie")))
	x.renew()
}

// Size returns the total size of all files.
func (x *Index) Size() int64 {
	var all int64
	for _, l := range x.listed {
		all += l.size
	}
	return all
}
