package testworld

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding"
	"errors"
	"hash"
	"math"
	"net/http"
	"sync"
)

// registryUpload is a blob that isn't complete yet.
type registryUpload struct {
	mu      sync.Mutex // held while a request writes
	id      string
	repo    string
	state   string // of the location: without it an upload can't continue
	keep    int64  // bytes above which it is only hashed
	believe bool   // above which it isn't even hashed

	size  int64
	hash  hash.Hash
	data  []byte
	short bool // the last chunk was shorter than chunks may be
}

// Write adds bytes.
func (u *registryUpload) Write(p []byte) (int, error) {
	u.size += int64(len(p))
	switch {
	case u.size <= u.keep:
		u.data = append(u.data, p...)
	default:
		u.data = nil
	}
	if u.believed() {
		return len(p), nil
	}
	return u.hash.Write(p)
}

// believed reports whether the client's digest is trusted.
func (u *registryUpload) believed() bool { return u.believe && u.size > u.keep }

func (u *registryUpload) length() int64 {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.size
}

// mark returns a function that undoes all later writes.
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

// ForgetUploads makes the registry forget all open uploads.
func (r *Registry) ForgetUploads() {
	r.content.Lock()
	defer r.content.Unlock()
	clear(r.uploads)
}

func (r *Registry) begin(repo string) *registryUpload {
	u := &registryUpload{id: rand.Text(), repo: repo, state: rand.Text(), keep: r.opts.keep(), believe: r.opts.Believe, hash: sha256.New()}
	r.content.Lock()
	defer r.content.Unlock()
	r.uploads[u.id] = u
	r.repo(repo)
	return u
}

func (o RegistryOptions) keep() int64 {
	switch {
	case !o.Discard:
		return math.MaxInt64
	case o.Keep > 0:
		return o.Keep
	}
	return kept
}

// upload returns the upload that a location names.
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
