package door

import (
	"maps"
	"net/url"
	"strings"
	"sync"

	"lamina.build/lock"
)

// table is what is known of addresses, by any goroutine: of no more than [mostNotes].
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

// key is an address in the one spelling of it: servers take a+b and a%2Bb for
// one file.
func key(u *url.URL) string {
	u = target(u)
	u.RawPath = ""
	return u.String()
}

// asked is the address of a file, or of the repository that git reads something of.
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

// logInAt has an address get the login of its host, by what is asked of it. uv words a
// commit of a repository as a query.
func (d *Door) logInAt(u *url.URL) {
	d.own.put(asked(u), true)
	d.own.put(asked(&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}), true)
}

// files are those that pages name.
type files struct {
	mu    sync.Mutex
	named map[string]*File // by key
	parts map[string]*File // by the key of its metadata

	led table[promise] // where redirects lead
}

func newFiles() *files { return &files{named: map[string]*File{}, parts: map[string]*File{}} }

// add takes what a page says. Of two indexes that name a file the first one is
// believed, and what the other adds: the clashes are returned.
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
			at = next.URL // one copy of it: there are hundreds of thousands
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

// joined is what two pages say of a file. The older one is left as it is:
// others may hold it.
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

// promise is what an index says of the bytes at an address.
type promise struct {
	index  string
	hashes map[string]string
	size   int64
	led    bool // a redirect leads there
}

// lead has an address promise what one does that redirects there.
func (f *files) lead(u *url.URL, p promise) {
	p.led = true
	f.led.put(key(u), p)
}

// promised returns what an index says of an address, if one names it.
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

// Files returns what the pages that came through say of files, by address.
func (d *Door) Files() map[string]File {
	d.files.mu.Lock()
	defer d.files.mu.Unlock()
	all := make(map[string]File, len(d.files.named))
	for _, file := range d.files.named {
		all[file.URL] = *file
	}
	return all
}

// File returns what the pages that came through say of the file at an address.
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

// Page returns what the page of an index was that came through, last; ok is false where
// none did, since the exec had kept it.
func (d *Door) Page(index, project string) (page lock.Page, ok bool) {
	return d.came.get(index + "\n" + project)
}

// digest is that of a file that came whole.
type digest struct {
	sha256 string
	size   int64
}

// SHA256 returns the digest and the size of what came whole from an address.
func (d *Door) SHA256(address string) (sha256 string, size int64, ok bool) {
	u, err := url.Parse(address)
	if err != nil {
		return "", 0, false
	}
	came, ok := d.passed.get(key(u))
	return came.sha256, came.size, ok
}
