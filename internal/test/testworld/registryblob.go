package testworld

import (
	"bytes"
	"net/http"
	"strconv"
	"time"

	"github.com/opencontainers/go-digest"
)

// kept is the size up to which a registry with Discard keeps blobs: configurations stay
// readable.
const kept = 4 << 20

type storedBlob struct {
	size int64
	data []byte // nil if discarded
}

// AddBlob puts a blob into a repository.
func (r *Registry) AddBlob(repo string, data []byte) digest.Digest {
	d := digest.FromBytes(data)
	r.store(repo, d, storedBlob{int64(len(data)), bytes.Clone(data)})
	return d
}

func (r *Registry) store(repo string, d digest.Digest, blob storedBlob) {
	r.content.Lock()
	defer r.content.Unlock()
	r.blobs[d] = blob
	r.repo(repo).blobs[d] = true
}

// Blob returns a blob of a repository, nil if it is missing or wasn't kept.
func (r *Registry) Blob(repo string, d digest.Digest) []byte {
	blob, _ := r.lookUp(repo, d)
	return blob.data
}

// BlobSize returns the size of a blob in bytes, -1 if the repository doesn't have it.
func (r *Registry) BlobSize(repo string, d digest.Digest) int64 {
	if blob, ok := r.lookUp(repo, d); ok {
		return blob.size
	}
	return -1
}

func (r *Registry) lookUp(repo string, d digest.Digest) (storedBlob, bool) {
	r.content.Lock()
	defer r.content.Unlock()
	if found, ok := r.repos[repo]; !ok || !found.blobs[d] {
		return storedBlob{}, false
	}
	return r.blobs[d], true
}

func (r *Registry) serveBlob(rw http.ResponseWriter, req *http.Request, repo, id string) {
	d := digest.Digest(id)
	if d.Validate() != nil {
		refuse(rw, http.StatusBadRequest, "DIGEST_INVALID", "that is no digest")
		return
	}
	blob, ok := r.lookUp(repo, d)
	switch {
	case req.Method != http.MethodGet && req.Method != http.MethodHead:
		refuse(rw, http.StatusMethodNotAllowed, "UNSUPPORTED", "blobs stay")
	case !ok:
		refuse(rw, http.StatusNotFound, "BLOB_UNKNOWN", "there is no such blob")
	case blob.data == nil && req.Method == http.MethodGet:
		refuse(rw, http.StatusGone, "BLOB_UNKNOWN", "the blob was discarded: the test has it so")
	case blob.data == nil:
		announceBlob(rw, d)
		rw.Header().Set("Content-Length", strconv.FormatInt(blob.size, 10))
	default:
		announceBlob(rw, d)
		http.ServeContent(rw, req, "", time.Time{}, section(blob.data))
	}
}

func announceBlob(rw http.ResponseWriter, d digest.Digest) {
	rw.Header().Set("Content-Type", "application/octet-stream")
	rw.Header().Set("Docker-Content-Digest", d.String())
	rw.Header().Set("ETag", strconv.Quote(d.String()))
}
