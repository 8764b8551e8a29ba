package testworld

import (
	"fmt"
	"maps"
	"net/http"
	"path"
	"slices"
	"strconv"
)

type hubEntry struct {
	Type string  `json:"type"`
	OID  string  `json:"oid"`
	Size int64   `json:"size"`
	Path string  `json:"path"`
	LFS  *hubLFS `json:"lfs,omitempty"`
	Xet  string  `json:"xetHash,omitempty"`
}

type hubLFS struct {
	OID         string `json:"oid"`
	Size        int64  `json:"size"`
	PointerSize int64  `json:"pointerSize"`
}

// answerTree returns a page of the files of a commit, with their directories, as for
// recursive=True.
func (h *Hub) answerTree(r *http.Request, c *hubCommit) hubAnswer {
	entries := c.entries
	from, _ := strconv.Atoi(r.URL.Query().Get("cursor"))
	from = min(max(from, 0), len(entries))
	to := min(from+h.opts.PageSize, len(entries))
	a := hubJSON(entries[from:to])
	if to < len(entries) {
		q := r.URL.Query()
		q.Set("cursor", strconv.Itoa(to))
		a.header.Set("Link", fmt.Sprintf(`<%s%s?%s>; rel="next"`, h.URL, r.URL.EscapedPath(), q.Encode()))
	}
	return a
}

func hubEntries(files map[string]HubFile) []hubEntry {
	entries := []hubEntry{} // a repository without files has an empty list, not null
	directories := map[string]bool{".": true, "/": true}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		var above []hubEntry
		for dir := path.Dir(name); !directories[dir]; dir = path.Dir(dir) {
			directories[dir] = true
			above = append(above, hubEntry{Type: "directory", OID: gitOID(Text(dir)), Path: dir})
		}
		entries = append(append(entries, above...), files[name].entry(name))
	}
	return entries
}

func (f HubFile) entry(name string) hubEntry {
	e := hubEntry{Type: "file", Path: name, Size: f.Size()}
	if !f.LFS {
		e.OID = gitOID(f)
		return e
	}
	sum := SHA256(f.Content)
	pointer := Text(fmt.Sprintf("version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize %d\n", sum, f.Size()))
	e.OID, e.Xet = gitOID(pointer), sum
	e.LFS = &hubLFS{OID: sum, Size: f.Size(), PointerSize: pointer.Size()}
	return e
}
