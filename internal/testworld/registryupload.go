package testworld

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding"
	"errors"
	"hash"
	"net/http"
	"sync"
)

// registryUpload is a blob that isn't whole yet.
type registryUpload struct {
	mu      sync.Mutex // held while a request writes
	id      string
	repo    string
	state   string // of the location: whoever loses it can't go on
	discard bool

	size  int64
	hash  hash.Hash
	data  []byte
	short bool // the last chunk was shorter than chunks may be
}

// Write takes bytes in.
func (u *registryUpload) Write(p []byte) (int, error) {
	u.size += int64(len(p))
	switch {
	case !u.discard || u.size <= kept:
		u.data = append(u.data, p...)
	default:
		u.data = nil
	}
	return u.hash.Write(p)
}

func (u *registryUpload) length() int64 {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.size
}

// mark returns a function that takes back what is written from now on.
func (u *registryUpload) mark() func() {
	state, err := u.hash.(encoding.BinaryMarshaler).MarshalBinary()
	size, data := u.size, u.data
	return func() {
		u.size, u.data = size, data
		_ = errors.Join(err, u.hash.(encoding.BinaryUnmarshaler).UnmarshalBinary(state))
	}
}

// Uploads returns how many uploads are open.
func (r *Registry) Uploads() int {
	r.content.Lock()
	defer r.content.Unlock()
	return len(r.uploads)
}

// ForgetUploads lets the registry forget all open uploads.
func (r *Registry) ForgetUploads() {
	r.content.Lock()
	defer r.content.Unlock()
	clear(r.uploads)
}

func (r *Registry) begin(repo string) *registryUpload {
	u := &registryUpload{id: rand.Text(), repo: repo, state: rand.Text(), discard: r.opts.Discard, hash: sha256.New()}
	r.content.Lock()
	defer r.content.Unlock()
	r.uploads[u.id] = u
	r.repo(repo)
	return u
}

// upload finds the one that a location names.
func (r *Registry) upload(req *http.Request, repo, id string) *registryUpload {
	r.content.Lock()
	defer r.content.Unlock()
	u := r.uploads[id]
	if u == nil || u.repo != repo || u.state != req.URL.Query().Get("_state") {
		return nil
	}
	return u
}

func (r *Registry) drop(u *registryUpload) {
	r.content.Lock()
	defer r.content.Unlock()
	delete(r.uploads, u.id)
}
