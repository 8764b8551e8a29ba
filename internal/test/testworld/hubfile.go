package testworld

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"path"
	"strconv"
	"strings"
)

// answerFile answers with a small file, or redirects to it or to a large one.
func (h *Hub) answerFile(q hubQuestion, c *hubCommit) hubAnswer {
	f, ok := c.files[q.path]
	if !ok || q.verb != "resolve" {
		return hubRefusal(http.StatusNotFound, "EntryNotFound", "Entry not found")
	}
	switch {
	case f.LFS:
		sum := SHA256(f.Content)
		a := hubRedirect(http.StatusFound, h.CDN.URL+h.BlobPath(f)+"?"+h.signature(sum))
		a.header.Set("X-Repo-Commit", c.id)
		a.header.Set("X-Linked-Etag", strconv.Quote(sum))
		a.header.Set("X-Linked-Size", strconv.FormatInt(f.Size(), 10))
		a.header.Set("X-Xet-Hash", sum)
		return a
	case !q.cached && !h.opts.Direct:
		return hubRedirect(http.StatusTemporaryRedirect,
			fmt.Sprintf("/%s/api/resolve-cache/models/%s/%s/%s?etag=x", h.opts.Path, q.repo, c.id, escapedPath(q.path)))
	}
	a := hubAnswer{status: http.StatusOK, header: http.Header{}, content: f}
	a.header.Set("Content-Type", "text/plain; charset=utf-8")
	a.header.Set("X-Repo-Commit", c.id)
	a.header.Set("ETag", strconv.Quote(gitOID(f)))
	a.header.Set("Accept-Ranges", "bytes")
	return a
}

// BlobPath returns the path of content on the other host.
func (h *Hub) BlobPath(c Content) string { return "/blobs/" + SHA256(c) }

// Expire ends the validity of all signed addresses so far.
func (h *Hub) Expire() {
	h.content.Lock()
	defer h.content.Unlock()
	h.signed++
}

func (h *Hub) signature(sum string) string {
	h.content.Lock()
	defer h.content.Unlock()
	return fmt.Sprintf("X-Amz-Signature=%x", sha256.Sum256(fmt.Appendf(nil, "%s %d", sum, h.signed)))
}

// answerBlob returns the other host's answer. It rejects requests with a token, as object
// stores do.
func (h *Hub) answerBlob(r *http.Request) hubAnswer {
	sum := path.Base(clean(r.URL.Path))
	h.content.Lock()
	blob, ok := h.blobs[sum]
	h.content.Unlock()
	switch {
	case r.Header.Get("Authorization") != "":
		return hubRefusal(http.StatusBadRequest, "", "Only one auth mechanism allowed")
	case !strings.Contains(r.URL.RawQuery, h.signature(sum)):
		return hubRefusal(http.StatusForbidden, "", "Request has expired")
	case !ok:
		return hubRefusal(http.StatusNotFound, "", "NoSuchKey")
	}
	a := hubAnswer{status: http.StatusOK, header: http.Header{}, content: blob}
	a.header.Set("Content-Type", "application/octet-stream")
	a.header.Set("ETag", strconv.Quote(sum))
	a.header.Set("Accept-Ranges", "bytes")
	return a
}
