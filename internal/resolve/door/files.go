package door

import (
	"maps"
	"net/url"
	"sync"
)

// files are those that pages name, and the digests of what came whole.
type files struct {
	mu     sync.Mutex
	named  map[string]*File // by key
	parts  map[string]*File // by the key of its metadata
	led    map[string]promise
	passed map[string]digest
}

type digest struct {
	sha256 string
	size   int64
}

func newFiles() *files {
	return &files{named: map[string]*File{}, parts: map[string]*File{}, led: map[string]promise{}, passed: map[string]digest{}}
}

// key is an address in the one spelling of it: servers take a+b and a%2Bb for
// one file.
func key(u *url.URL) string {
	u = target(u)
	u.RawPath = ""
	return u.String()
}

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
	if old.Index == next.Index {
		both := *next
		both.Hashes = over(next.Hashes, old.Hashes)
		return &both
	}
	both := *old
	both.Hashes = over(next.Hashes, old.Hashes)
	if both.Size == 0 {
		both.Size = next.Size
	}
	return &both
}

// over returns the hashes of below with those of above over them.
func over(below, above map[string]string) map[string]string {
	if len(below) == 0 {
		return above
	}
	all := maps.Clone(below)
	maps.Copy(all, above)
	return all
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
	f.mu.Lock()
	defer f.mu.Unlock()
	if p.led = true; len(f.led) < mostNotes {
		f.led[key(u)] = p
	}
}

// promised returns what an index says of an address, if one names it.
func (f *files) promised(u *url.URL) (promise, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if file, ok := f.named[key(u)]; ok {
		return promise{index: file.Index, hashes: file.Hashes, size: file.Size}, true
	}
	if file, ok := f.parts[key(u)]; ok {
		return promise{index: file.Index, hashes: file.MetadataHashes}, true
	}
	p, ok := f.led[key(u)]
	return p, ok
}

func (f *files) pass(u *url.URL, d digest) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.passed[key(u)] = d
}

// all returns the files by their addresses.
func (f *files) all() map[string]File {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := make(map[string]File, len(f.named))
	for _, file := range f.named {
		all[file.URL] = *file
	}
	return all
}

func (f *files) file(u *url.URL) (File, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if file, ok := f.named[key(u)]; ok {
		return *file, true
	}
	return File{}, false
}

func (f *files) came(u *url.URL) (sha256 string, size int64, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	d, ok := f.passed[key(u)]
	return d.sha256, d.size, ok
}
