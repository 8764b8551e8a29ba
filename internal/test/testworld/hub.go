package testworld

import (
	"net/http"
	"strings"
	"sync"
)

// HubOptions describes a hub. The zero value is usable.
type HubOptions struct {
	Path     string // of the endpoint below the world: "hub"
	PageSize int    // entries per page of a tree; default: 1,000, like the real one's
	Token    string // permits reading everything; unknown ones are rejected with a 401
	Other    string // a valid token that permits no more than no token
	Direct   bool   // small files are served directly, without a relative redirect
}

// Hub is a Hugging Face hub for one test, in a world. Large files are on another host, to which
// it redirects with signed addresses. Paths count and fail as those of a [World], but see
// [HubHost.Fail].
//
// It answers as huggingface.co answers huggingface_hub (at ee0a4510) and the requests in its
// issues.
type Hub struct {
	*HubHost
	Endpoint string   // as HF_ENDPOINT has it
	CDN      *HubHost // the other host

	opts    HubOptions
	content sync.Mutex // guards what follows
	repos   map[string]*HubRepo
	blobs   map[string]Content // by their SHA-256
	signed  int                // which signatures are valid now
}

// Hub starts a hub that ends with the test. It has no repositories.
func (w *World) Hub(o HubOptions) *Hub {
	w.t.Helper()
	o.Path = strings.Trim(or(o.Path, "hub"), "/")
	if o.PageSize == 0 {
		o.PageSize = 1000
	}
	h := &Hub{
		HubHost: &HubHost{World: w}, Endpoint: w.URL + "/" + o.Path,
		CDN:  &HubHost{World: NewAt(w.t, "127.0.0.2:0")}, // another host than the hub's
		opts: o, repos: map[string]*HubRepo{}, blobs: map[string]Content{},
	}
	w.handle(o.Path, h.handler(h.answer))
	h.CDN.handle("/blobs", h.CDN.handler(h.answerBlob))
	return h
}

// answer returns a hub's answer to a request.
func (h *Hub) answer(r *http.Request) hubAnswer {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return hubRefusal(http.StatusMethodNotAllowed, "", "this hub is read alone")
	}
	q := h.question(r)
	repo, refusal := h.admit(r, q)
	if repo == nil {
		return refusal
	}
	commit := repo.resolve(q.revision)
	if commit == nil {
		return hubRefusal(http.StatusNotFound, "RevisionNotFound", "Invalid rev id: "+q.revision)
	}
	switch q.verb {
	case "revision":
		return hubJSON(map[string]any{"id": repo.name, "sha": commit.id, "private": repo.opts.Private, "gated": repo.opts.Gated, "cardData": repo.opts.Card})
	case "tree":
		return h.answerTree(r, commit)
	}
	return h.answerFile(q, commit)
}

// admit returns the repository if the request may read what it requests of it.
func (h *Hub) admit(r *http.Request, q hubQuestion) (*HubRepo, hubAnswer) {
	const missing = "Repository not found"
	token, known := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	repo := h.repo(q.repo)
	switch {
	case known && (token == "" || token != h.opts.Token && token != h.opts.Other):
		return nil, hubRefusal(http.StatusUnauthorized, "", "Invalid credentials in Authorization header")
	case known && token == h.opts.Token && repo != nil:
		return repo, hubAnswer{}
	case (repo == nil || repo.opts.Private) && known:
		return nil, hubRefusal(http.StatusNotFound, "RepoNotFound", missing)
	case repo == nil || repo.opts.Private:
		return nil, hubRefusal(http.StatusUnauthorized, "RepoNotFound", missing)
	case repo.opts.Gated && q.verb == "resolve" && known:
		return nil, hubRefusal(http.StatusForbidden, "GatedRepo", "Access to model "+q.repo+" is restricted and you are not in the authorized list.")
	case repo.opts.Gated && q.verb == "resolve":
		return nil, hubRefusal(http.StatusUnauthorized, "GatedRepo", "Access to model "+q.repo+" is restricted. You must have access to it and be authenticated to access it. Please log in.")
	}
	return repo, hubAnswer{}
}
