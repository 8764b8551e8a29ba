package testworld

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/opencontainers/go-digest"
)

// RegistryOptions configure a registry.
type RegistryOptions struct {
	Referrers      bool   // it has the referrers API
	ReferrersPage  int    // the page size of that; 0 for all
	ETags          bool   // manifests have one, on which a PUT may depend
	User, Password string // required, if set
	Tokens         bool   // with bearer tokens of its token service instead of HTTP basic
	Identity       string // an identity token that the token service accepts, too
	Issued         string // the token service's issued_at; "" if it sends none
	Discard        bool   // large blobs are hashed and not kept
	Keep           int64  // bytes above which a blob is large; default: 4 MiB
	Believe        bool   // large blobs are not even hashed: it trusts the client's digests
	ChunkMin       int64  // the OCI-Chunk-Min-Length that it sends and enforces; 0 for none
	KeepNothing    bool   // of a broken-off PATCH
	Elsewhere      string // where it redirects uploads, a URL without a trailing slash; "" for itself
}

// Registry is a registry for one test, with the OCI distribution API
// (https://github.com/opencontainers/distribution-spec/blob/main/spec.md), for any client,
// including engines. Paths count and fail as those of a [World], but see [Registry.Fail].
type Registry struct {
	*World
	Host string // with its port, as in image names

	opts    RegistryOptions
	done    chan struct{} // closed when the test ends
	content sync.Mutex    // guards what follows
	blobs   map[digest.Digest]storedBlob
	repos   map[string]*registryRepo
	uploads map[string]*registryUpload
	tokens  map[string][]string // scopes by token
	scopes  []string            // that were requested
	faults  []registryFault
	tally   registryTally
}

type registryRepo struct {
	blobs     map[digest.Digest]bool
	manifests map[digest.Digest]storedManifest
	tags      map[string]digest.Digest
}

// NewRegistry starts a registry that ends with the test.
func NewRegistry(t testing.TB, o RegistryOptions) *Registry {
	t.Helper()
	w := New(t)
	r := &Registry{
		World: w, Host: strings.TrimPrefix(w.URL, "http://"), opts: o, done: make(chan struct{}),
		blobs: map[digest.Digest]storedBlob{}, repos: map[string]*registryRepo{},
		uploads: map[string]*registryUpload{}, tokens: map[string][]string{},
	}
	r.tally.clear()
	t.Cleanup(sync.OnceFunc(func() { close(r.done) }))
	w.handle("/v2", http.HandlerFunc(r.serve))
	switch {
	case o.Tokens:
		w.handle("/token", http.HandlerFunc(r.serveToken))
	case o.User != "":
		w.Protect("/v2", o.User, o.Password)
	}
	return r
}

type nextKey struct{}

// serve answers, unless there is a fault, which finds the right answer in the request's
// context.
//
// The request is a copy, because net/http checks the body of its own request to know whether
// a client still waits for a 100 Continue.
func (r *Registry) serve(rw http.ResponseWriter, req *http.Request) {
	r.countCall(req)
	right := http.HandlerFunc(r.answer)
	req = req.WithContext(context.WithValue(req.Context(), nextKey{}, right))
	req.Body = &countedBody{ReadCloser: req.Body, registry: r, path: clean(req.URL.Path)}
	if fault := r.faultOf(req); fault != nil {
		fault(rw, req, section(nil))
		return
	}
	right(rw, req)
}

func (r *Registry) answer(rw http.ResponseWriter, req *http.Request) {
	rw.Header().Set("Docker-Distribution-Api-Version", "registry/2.0")
	rest := strings.TrimPrefix(strings.TrimPrefix(clean(req.URL.Path), "/v2"), "/")
	repo, kind, id := splitPath(rest)
	if r.opts.Tokens && !r.admit(rw, req, repo, kind) {
		return
	}
	switch kind {
	case "":
		rw.WriteHeader(http.StatusOK)
	case "uploads":
		r.serveUpload(rw, req, repo, id)
	case "blobs":
		r.serveBlob(rw, req, repo, id)
	case "manifests":
		r.serveManifest(rw, req, repo, id)
	case "tags":
		r.serveTags(rw, repo)
	case "referrers":
		if r.opts.Referrers {
			r.serveReferrers(rw, req, repo, id)
			return
		}
		fallthrough
	default:
		refuse(rw, http.StatusNotFound, "UNSUPPORTED", "there is no such endpoint")
	}
}

// splitPath splits a path below /v2/ into the repository's name, which may have slashes, the
// kind of resource, and its ID.
func splitPath(rest string) (repo, kind, id string) {
	if rest == "" {
		return "", "", ""
	}
	for _, kind := range []string{"/blobs/uploads", "/blobs", "/manifests", "/referrers", "/tags"} {
		at := strings.LastIndex(rest, kind)
		if at < 0 {
			continue
		}
		id := rest[at+len(kind):]
		if id == "" || id[0] == '/' {
			return rest[:at], kind[strings.LastIndex(kind, "/")+1:], strings.TrimPrefix(id, "/")
		}
	}
	return rest, "other", ""
}

// repo returns a repository, which is created by writing to it. The caller holds the lock.
func (r *Registry) repo(name string) *registryRepo {
	repo, ok := r.repos[name]
	if !ok {
		repo = &registryRepo{map[digest.Digest]bool{}, map[digest.Digest]storedManifest{}, map[string]digest.Digest{}}
		r.repos[name] = repo
	}
	return repo
}

// refuse answers with an error in the form of the spec.
func refuse(rw http.ResponseWriter, status int, code, message string) {
	type fault struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	rw.Header().Set("Content-Type", "application/json")
	rw.WriteHeader(status)
	_ = json.NewEncoder(rw).Encode(map[string][]fault{"errors": {{code, message}}})
}
