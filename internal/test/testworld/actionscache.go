package testworld

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// ActionsCache is version 2 of GitHub's cache service for one test: entries by JSON over
// twirp, their contents at signed addresses as block blobs of Azure's storage.
type ActionsCache struct {
	*World
	Token string // of a job

	secret  string
	mu      sync.Mutex
	entries []*actionsEntry
}

// actionsEntry is an entry with its blob.
type actionsEntry struct {
	key, version string
	upload, read string // signatures of its addresses
	blocks       map[string][]byte
	content      []byte // nil until the blocks are put together
	complete     bool
}

const (
	actionsPath  = "/twirp/github.actions.results.api.v1.CacheService"
	actionsBlobs = "/blobs"
)

// NewActionsCache starts a service that ends with the test. secret is part of its token and
// of all signatures.
func NewActionsCache(t testing.TB, secret string) *ActionsCache {
	t.Helper()
	c := &ActionsCache{World: New(t), Token: ActionsToken(secret), secret: secret}
	c.handle(actionsPath, http.HandlerFunc(c.serveEntries))
	c.handle(actionsBlobs, http.HandlerFunc(c.serveBlob))
	return c
}

// ActionsToken returns a token as jobs get it: it may write to the cache of its own pull
// request, and read from that of the main branch. secret stands for the signature.
func ActionsToken(secret string) string {
	part := base64.RawURLEncoding.EncodeToString
	claims := fmt.Appendf(nil, `{"ac":"[{\"Scope\":\"refs/pull/7/merge\",\"Permission\":3},{\"Scope\":\"refs/heads/main\",\"Permission\":1}]","nbf":0,"exp":%d}`, time.Now().Add(time.Hour).Unix())
	return part([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + part(claims) + "." + part([]byte(secret))
}

// Entries returns the keys of the complete entries.
func (c *ActionsCache) Entries() (keys []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range c.entries {
		if e.complete {
			keys = append(keys, e.key)
		}
	}
	return keys
}

// actionsRequest is any request for an entry.
type actionsRequest struct {
	Key, Version string
	RestoreKeys  []string    `json:"restore_keys"`
	SizeBytes    json.Number `json:"size_bytes"`
}

func (c *ActionsCache) serveEntries(rw http.ResponseWriter, r *http.Request) {
	refuse := func(status int, code, msg string) {
		rw.Header().Set("Content-Type", "application/json")
		rw.WriteHeader(status)
		_ = json.NewEncoder(rw).Encode(map[string]string{"code": code, "msg": msg})
	}
	var q actionsRequest
	switch err := json.NewDecoder(r.Body).Decode(&q); {
	case r.Header.Get("Authorization") != "Bearer "+c.Token:
		refuse(http.StatusUnauthorized, "unauthenticated", "invalid authorization header")
		return
	case r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" || err != nil || q.Key == "" || q.Version == "":
		refuse(http.StatusBadRequest, "malformed", "a key and a version are required")
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	at := slices.IndexFunc(c.entries, func(e *actionsEntry) bool { return e.key == q.Key && e.version == q.Version })
	answer := map[string]any{"ok": false}
	switch path.Base(r.URL.Path) {
	case "CreateCacheEntry":
		if at >= 0 {
			refuse(http.StatusConflict, "already_exists", "cache entry with the same version, key, and scope already exists")
			return
		}
		e := &actionsEntry{key: q.Key, version: q.Version, upload: rand.Text() + c.secret, read: rand.Text() + c.secret, blocks: map[string][]byte{}}
		c.entries = append(c.entries, e)
		answer = map[string]any{"ok": true, "signed_upload_url": c.signed(len(c.entries)-1, e.upload)}
	case "FinalizeCacheEntryUpload":
		if at >= 0 && strconv.Itoa(len(c.entries[at].content)) == q.SizeBytes.String() && c.entries[at].content != nil {
			c.entries[at].complete = true
			answer = map[string]any{"ok": true, "entry_id": strconv.Itoa(at)}
		}
	case "GetCacheEntryDownloadURL":
		if at = c.find(q); at >= 0 {
			answer = map[string]any{"ok": true, "matched_key": c.entries[at].key, "signed_download_url": c.signed(at, c.entries[at].read)}
		}
	default:
		refuse(http.StatusNotFound, "bad_route", "no handler for "+r.URL.Path)
		return
	}
	rw.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(rw).Encode(answer)
}

// find returns the entry with the key, else the newest one whose key begins with one of the
// restore keys, else -1.
func (c *ActionsCache) find(q actionsRequest) int {
	found := -1
	for i, e := range c.entries {
		switch {
		case !e.complete || e.version != q.Version:
		case e.key == q.Key:
			return i
		case slices.ContainsFunc(q.RestoreKeys, func(prefix string) bool { return strings.HasPrefix(e.key, prefix) }):
			found = i
		}
	}
	return found
}

// signed returns the address of a blob for one purpose.
func (c *ActionsCache) signed(at int, signature string) string {
	return fmt.Sprintf("%s%s/%d?sv=2025-01-05&sr=b&sig=%s", c.URL, actionsBlobs, at, signature)
}

// serveBlob answers as https://learn.microsoft.com/rest/api/storageservices/blob-service-rest-api
// describes Put Block, Put Block List, Put Blob and Get Blob.
func (c *ActionsCache) serveBlob(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	rw.Header().Set("X-Ms-Request-Id", rand.Text()) // the engine's client requires it
	refuse := func(status int, code string) {
		rw.Header().Set("X-Ms-Error-Code", code)
		rw.WriteHeader(status)
	}
	q := r.URL.Query()
	at, err := strconv.Atoi(path.Base(r.URL.Path))
	if err != nil || at < 0 || at >= len(c.entries) {
		refuse(http.StatusNotFound, "BlobNotFound")
		return
	}
	e := c.entries[at]
	switch read := r.Method == http.MethodGet; {
	case !read && q.Get("sig") != e.upload, read && q.Get("sig") != e.read:
		refuse(http.StatusForbidden, "AuthenticationFailed")
		return
	case read:
		if wanted := r.Header.Get("X-Ms-Range"); wanted != "" { // wins over Range
			r.Header.Set("Range", wanted)
		}
		http.ServeContent(rw, r, "", time.Time{}, bytes.NewReader(e.content))
		return
	case r.Method == http.MethodPut && q.Get("comp") == "block":
		e.blocks[q.Get("blockid")] = body
	case r.Method == http.MethodPut && q.Get("comp") == "blocklist":
		var list struct{ Latest []string }
		if err = xml.Unmarshal(body, &list); err != nil || slices.ContainsFunc(list.Latest, func(id string) bool { return e.blocks[id] == nil }) {
			refuse(http.StatusBadRequest, "InvalidBlockList")
			return
		}
		e.content = []byte{}
		for _, id := range list.Latest {
			e.content = append(e.content, e.blocks[id]...)
		}
	case r.Method == http.MethodPut && r.Header.Get("X-Ms-Blob-Type") == "BlockBlob":
		e.content = body
	default:
		refuse(http.StatusBadRequest, "UnsupportedHttpVerb")
		return
	}
	rw.WriteHeader(http.StatusCreated)
}
