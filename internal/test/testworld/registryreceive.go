package testworld

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/opencontainers/go-digest"
)

func (r *Registry) serveUpload(rw http.ResponseWriter, req *http.Request, repo, id string) {
	if id == "" {
		r.post(rw, req, repo)
		return
	}
	u := r.upload(req, repo, id)
	if u == nil {
		refuse(rw, http.StatusNotFound, "BLOB_UPLOAD_UNKNOWN", "there is no such upload")
		return
	}
	if req.Method == http.MethodGet {
		u.mu.Lock() // includes what a dying request still writes
	} else if !u.mu.TryLock() {
		refuse(rw, http.StatusConflict, "BLOB_UPLOAD_INVALID", "another request is writing")
		return
	}
	defer u.mu.Unlock()
	switch req.Method {
	case http.MethodGet:
		r.tell(rw, u, http.StatusNoContent)
	case http.MethodPatch:
		r.patch(rw, req, u)
	case http.MethodPut:
		r.close(rw, req, u)
	case http.MethodDelete:
		r.drop(u)
		rw.WriteHeader(http.StatusNoContent)
	default:
		refuse(rw, http.StatusMethodNotAllowed, "UNSUPPORTED", "an upload has no such method")
	}
}

// tell answers with the location and the progress of an upload. A range can't express an empty
// one, so that is "0-0" as in the Distribution project.
func (r *Registry) tell(rw http.ResponseWriter, u *registryUpload, status int) {
	rw.Header().Set("Location", r.opts.Elsewhere+"/v2/"+u.repo+"/blobs/uploads/"+u.id+"?_state="+u.state)
	rw.Header().Set("Docker-Upload-Uuid", u.id)
	rw.Header().Set("Range", "0-"+strconv.FormatInt(max(u.size-1, 0), 10))
	rw.WriteHeader(status)
}

// post begins an upload, or completes it at once: from another repository, or from the body.
func (r *Registry) post(rw http.ResponseWriter, req *http.Request, repo string) {
	query := req.URL.Query()
	if req.Method != http.MethodPost {
		refuse(rw, http.StatusMethodNotAllowed, "UNSUPPORTED", "uploads begin with POST")
		return
	}
	if mount := digest.Digest(query.Get("mount")); mount != "" {
		if blob, ok := r.lookUp(query.Get("from"), mount); ok && r.mayRead(req, query.Get("from")) {
			r.store(repo, mount, blob)
			created(rw, repo, mount)
			return
		}
	}
	u := r.begin(repo)
	if query.Get("digest") != "" {
		r.close(rw, req, u)
		return
	}
	if r.opts.ChunkMin > 0 {
		rw.Header().Set("OCI-Chunk-Min-Length", strconv.FormatInt(r.opts.ChunkMin, 10))
	}
	r.tell(rw, u, http.StatusAccepted)
}

func (r *Registry) patch(rw http.ResponseWriter, req *http.Request, u *registryUpload) {
	if r.receive(rw, req, u) {
		r.tell(rw, u, http.StatusAccepted)
	}
}

// receive adds the body of a request to the upload. If it returns false, it has answered.
func (r *Registry) receive(rw http.ResponseWriter, req *http.Request, u *registryUpload) bool {
	if value := req.Header.Get("Content-Range"); value != "" {
		first, last, ok := parseChunkRange(value)
		switch {
		case !ok || last-first+1 != req.ContentLength:
			refuse(rw, http.StatusBadRequest, "BLOB_UPLOAD_INVALID", "the range isn't one, or not that of the body")
			return false
		case first != u.size || u.short:
			r.tell(rw, u, http.StatusRequestedRangeNotSatisfiable)
			return false
		}
		u.short = req.ContentLength < r.opts.ChunkMin
	}
	restore := u.mark()
	_, err := io.Copy(u, req.Body)
	if err == nil {
		return true
	}
	u.short = false
	if r.opts.KeepNothing || errors.Is(err, errDropped) {
		restore()
	}
	refuse(rw, http.StatusBadRequest, "BLOB_UPLOAD_INVALID", "the body broke off")
	return false
}

// parseChunkRange parses "first-last", inclusive.
func parseChunkRange(value string) (first, last int64, ok bool) {
	a, b, _ := strings.Cut(value, "-")
	x, err1 := strconv.ParseUint(a, 10, 63)
	y, err2 := strconv.ParseUint(b, 10, 63)
	return int64(x), int64(y), err1 == nil && err2 == nil && x <= y
}

// close completes an upload, with the rest of the bytes, if any.
func (r *Registry) close(rw http.ResponseWriter, req *http.Request, u *registryUpload) {
	want := digest.Digest(req.URL.Query().Get("digest"))
	if want.Validate() != nil || want.Algorithm() != digest.SHA256 {
		refuse(rw, http.StatusBadRequest, "DIGEST_INVALID", "the digest isn't one of SHA-256")
		return
	}
	if !r.receive(rw, req, u) {
		return
	}
	if got := digest.NewDigest(digest.SHA256, u.hash); got != want && !u.believed() {
		refuse(rw, http.StatusBadRequest, "DIGEST_INVALID", strings.Join([]string{"the digest is", got.String()}, " "))
		return
	}
	blob := storedBlob{size: u.size, data: u.data}
	if blob.data == nil && blob.size == 0 {
		blob.data = []byte{}
	}
	r.store(u.repo, want, blob)
	r.settle(u.id, want)
	r.drop(u)
	created(rw, u.repo, want)
}

func created(rw http.ResponseWriter, repo string, d digest.Digest) {
	rw.Header().Set("Location", "/v2/"+repo+"/blobs/"+d.String())
	rw.Header().Set("Docker-Content-Digest", d.String())
	rw.WriteHeader(http.StatusCreated)
}
