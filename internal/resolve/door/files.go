package door

import (
	"maps"
	"net/url"
	"strings"
	"sync"

	"lamina.build/lock"
)

// table is a concurrent map by address, of at most [mostNotes] entries.
type table[T any] struct {
	mu sync.Mutex
	at map[string]T
}

func (t *table[T]) put(address string, value T) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.at == nil {
		t.at = map[string]T{}
	}
	if len(t.at) < mostNotes {
		t.at[address] = value
	}
}

func (t *table[T]) get(address string) (value T, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	value, ok = t.at[address]
	return value, ok
}

// key returns the canonical spelling of an address: to servers, a+b and a%2Bb are one file.
func key(u *url.URL) string {
	u = target(u)
	u.RawPath = ""
	return u.String()
}

// asked returns the address of a file, or of the repository of a git request.
func asked(u *url.URL) string {
	at := cleaned(u)
	for _, suffix := range []string{"/info/refs", uploadPack, ".git"} {
		at = strings.TrimSuffix(at, suffix)
	}
	query := u.RawQuery
	if query == "service=git-upload-pack" {
		query = ""
	}
	return origin(u) + at + "?" + query
}

// logInAt has requests for an address use the login of its host. uv puts the commit of a
// repository into the query.
func (d *Door) logInAt(u *url.URL) {
	d.own.put(asked(u), true)
	d.own.put(asked(&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}), true)
}

// files are the files that pages list.
type files struct {
	mu    sync.Mutex
	named map[string]*File // by key
	parts map[string]*File // by the key of its metadata

	led table[promise] // targets of redirects
}

func newFiles() *files { return &files{named: map[string]*File{}, parts: map[string]*File{}} }

// add adds the files of a page. If two indexes list a file, the first one wins and the
// other one may add to it; add returns the clashes.
func (f *files) add(p page, list []File) (clashes []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range list {
		next := &list[i]
		next.Index, next.Project = p.index, p.project
		u, err := url.Parse(next.URL)
		if err != nil {
			continue
		}
		at := key(u)
		if at == next.URL {
			at = next.URL // share one copy: there are hundreds of thousands
		}
		if old, ok := f.named[at]; ok {
			if old.Index != next.Index && !agree(old.Hashes, next.Hashes) {
				clashes = append(clashes, next.URL)
			}
			next = joined(old, next)
		}
		f.named[at] = next
		if next.HasMetadata {
			u.Path += ".metadata"
			f.parts[key(u)] = next
		}
	}
	return clashes
}

// joined merges the entries of two pages for a file. It doesn't modify the old one, which
// others may use.
func joined(old, next *File) *File {
	both := *old
	if old.Index == next.Index {
		both = *next
	}
	if both.Size == 0 {
		both.Size = next.Size
	}
	if len(next.Hashes) > 0 {
		both.Hashes = maps.Clone(next.Hashes)
		maps.Copy(both.Hashes, old.Hashes)
	} else {
		both.Hashes = old.Hashes
	}
	return &both
}

func agree(a, b map[string]string) bool {
	for name, value := range a {
		if other, ok := b[name]; ok && other != value {
			return false
		}
	}
	return true
}

// promise is what an index states about the bytes at an address.
type promise struct {
	index  string
	hashes map[string]string
	size   int64
	led    bool // a redirect leads there
}

// lead records that an address with a promise redirects to u.
func (f *files) lead(u *url.URL, p promise) {
	p.led = true
	f.led.put(key(u), p)
}

// promised returns the promise for an address, if an index lists it.
func (f *files) promised(u *url.URL) (promise, bool) {
	at := key(u)
	f.mu.Lock()
	file, part := f.named[at], f.parts[at]
	f.mu.Unlock()
	switch {
	case file != nil:
		return promise{index: file.Index, hashes: file.Hashes, size: file.Size}, true
	case part != nil:
		return promise{index: part.Index, hashes: part.MetadataHashes}, true
	}
	return f.led.get(at)
}

// Files returns the files on the pages that passed the door, by address.
func (d *Door) Files() map[string]File {
	d.files.mu.Lock()
	defer d.files.mu.Unlock()
	all := make(map[string]File, len(d.files.named))
	for _, file := range d.files.named {
		all[file.URL] = *file
	}
	return all
}

// File returns the file at an address, as the pages that passed the door list it.
func (d *Door) File(address string) (File, bool) {
	u, err := url.Parse(address)
	if err != nil {
		return File{}, false
	}
	d.files.mu.Lock()
	defer d.files.mu.Unlock()
	if file, ok := d.files.named[key(u)]; ok {
		return *file, true
	}
	return File{}, false
}

// Page returns the page of an index that last passed the door. ok is false if none did,
// because the exec had it cached.
func (d *Door) Page(index, project string) (page lock.Page, ok bool) {
	return d.came.get(index + "\n" + project)
}

// digest is the digest of a whole file.
type digest struct {
	sha256 string
	size   int64
}

// SHA256 returns the digest and the size of a whole file that passed from an address.
func (d *Door) SHA256(address string) (sha256 string, size int64, ok bool) {
	u, err := url.Parse(address)
	if err != nil {
		return "", 0, false
	}
	came, ok := d.passed.get(key(u))
	return came.sha256, came.size, ok
}
