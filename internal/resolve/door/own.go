package door

import (
	"net/url"
	"strings"
	"sync"
)

// addresses are a set that is added to by any goroutine.
type addresses struct {
	mu sync.Mutex
	at map[string]bool
}

// add takes the address of a file or of a repository. uv words a commit of one as
// a query.
func (a *addresses) add(u *url.URL) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.at == nil {
		a.at = map[string]bool{}
	}
	if len(a.at) < mostNotes {
		a.at[asked(u)], a.at[asked(&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path})] = true, true
	}
}

func (a *addresses) has(u *url.URL) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.at[asked(u)]
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
