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

// RegistryOptions are the ways of a registry.
type RegistryOptions struct {
	Referrers      bool   // it has the API for what refers to an image
	ReferrersPage  int    // of how many its lists are; 0 for all
	ETags          bool   // manifests have one, which a PUT may want unchanged
	User, Password string // that it asks for, if there are any
	Tokens         bool   // by bearer tokens of a service of its own, and not by HTTP basic
	Identity       string // an identity token, for which the service gives tokens as well
	Issued         string // when tokens were, as the service's clock has it; "" where it doesn't say
	Discard        bool   // large blobs are hashed and not kept
	Keep           int64  // bytes above which a blob is large; 4 MiB where it is 0
	Believe        bool   // nor hashed: their digests are what the client says
	ChunkMin       int64  // the OCI-Chunk-Min-Length that it tells, and insists on; 0 for none
	KeepNothing    bool   // of a PATCH that breaks off
	Elsewhere      string // where it sends uploads, an URL without a slash at the end; "" for itself
}

// Registry is a registry for one test, that speaks the OCI distribution API
// (https://github.com/opencontainers/distribution-spec/blob/main/spec.md) to
// whoever asks, an engine too. Paths count and fail as those of a [World], but
// see [Registry.Fail].
type Registry struct {
	*World
	Host string // with its port, as image names begin

	opts    RegistryOptions
	done    chan struct{} // closed when the test ends
	content sync.Mutex    // guards what follows
	blobs   map[digest.Digest]storedBlob
	repos   map[string]*registryRepo
	uploads map[string]*registryUpload
	tokens  map[string][]string // scopes by token
	scopes  []string            // that tokens were asked for
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

// serve answers, unless a fault lies on the way. The fault finds the right
// answer in the request's context.
//
// The request is a copy, because net/http looks at the body of its own to know
// whether a client still waits to be asked for it.
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

// splitPath takes a path below /v2/ apart: a repository's name, which may have
// slashes, what is asked for, and which one.
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

// repo returns a repository, which comes into being by being written to. The
// caller holds the lock.
func (r *Registry) repo(name string) *registryRepo {
	repo, ok := r.repos[name]
	if !ok {
		repo = &registryRepo{map[digest.Digest]bool{}, map[digest.Digest]storedManifest{}, map[string]digest.Digest{}}
		r.repos[name] = repo
	}
	return repo
}

// refuse answers with an error as the spec has it.
func refuse(rw http.ResponseWriter, status int, code, message string) {
	type fault struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	rw.Header().Set("Content-Type", "application/json")
	rw.WriteHeader(status)
	_ = json.NewEncoder(rw).Encode(map[string][]fault{"errors": {{code, message}}})
}
