package testworld

import (
	"crypto/sha1" //nolint:gosec // git's hash
	"encoding/hex"
	"fmt"
	"maps"
)

// HubRepoOptions say who may read a repository. The zero value means everybody.
type HubRepoOptions struct {
	Private bool // it seems not to exist
	Gated   bool // everybody may list its files, but not read them
	Card    any  // the content of its card, as in JSON
}

// HubFile is a file of a repository.
type HubFile struct {
	Content

	LFS bool // it is in large file storage, and on the other host
}

// Small returns a file stored in git itself.
func Small(text string) HubFile { return HubFile{Content: Text(text)} }

// Large returns a file in large file storage.
func Large(c Content) HubFile { return HubFile{Content: c, LFS: true} }

// HubRepo is a repository of a hub.
type HubRepo struct {
	hub     *Hub
	name    string // "ORG/NAME"
	opts    HubRepoOptions
	refs    map[string]string // commits by branch and tag
	commits map[string]*hubCommit
}

type hubCommit struct {
	id      string
	files   map[string]HubFile
	entries []hubEntry // sorted
}

// Repo makes, or replaces, a repository without commits.
func (h *Hub) Repo(name string, o HubRepoOptions) *HubRepo {
	repo := &HubRepo{hub: h, name: name, opts: o, refs: map[string]string{}, commits: map[string]*hubCommit{}}
	h.content.Lock()
	defer h.content.Unlock()
	h.repos[name] = repo
	return repo
}

// Drop removes a repository.
func (h *Hub) Drop(name string) {
	h.content.Lock()
	defer h.content.Unlock()
	delete(h.repos, name)
}

// Commit makes these files, by path, the content of the branch main. It returns the commit's
// ID, which is the same for the same files and history.
func (r *HubRepo) Commit(files map[string]HubFile) string { return r.CommitAs("", files) }

// CommitAs is [HubRepo.Commit] with a given ID, such as that of a repository that this one
// stands for.
func (r *HubRepo) CommitAs(id string, files map[string]HubFile) string {
	r.hub.content.Lock()
	defer r.hub.content.Unlock()
	c := &hubCommit{files: maps.Clone(files), entries: hubEntries(files)}
	h := sha1.New() //nolint:gosec // as above
	fmt.Fprintln(h, r.name, r.refs["main"])
	for _, e := range c.entries {
		fmt.Fprintf(h, "%q %s\n", e.Path, e.OID)
		if e.LFS != nil {
			r.hub.blobs[e.LFS.OID] = files[e.Path].Content
		}
	}
	c.id = or(id, hex.EncodeToString(h.Sum(nil)))
	r.commits[c.id], r.refs["main"] = c, c.id
	return c.id
}

// Tag makes a name stand for a commit. Branches are made in the same way.
func (r *HubRepo) Tag(name, commit string) {
	r.hub.content.Lock()
	defer r.hub.content.Unlock()
	r.refs[name] = commit
}

// resolve returns nil for an unknown revision.
func (r *HubRepo) resolve(revision string) *hubCommit {
	r.hub.content.Lock()
	defer r.hub.content.Unlock()
	if id, ok := r.refs[revision]; ok {
		revision = id
	}
	return r.commits[revision]
}

func (h *Hub) repo(name string) *HubRepo {
	h.content.Lock()
	defer h.content.Unlock()
	return h.repos[name]
}
