package testworld

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// ExpireTokens ends all tokens that the service has given out.
func (r *Registry) ExpireTokens() {
	r.content.Lock()
	defer r.content.Unlock()
	clear(r.tokens)
}

// serveToken is the token service, as of
// https://distribution.github.io/distribution/spec/auth/token/. It has the GET
// form alone, as older services do, and gives strangers tokens for nothing.
func (r *Registry) serveToken(rw http.ResponseWriter, req *http.Request) {
	if req.Method != http.MethodGet {
		http.NotFound(rw, req)
		return
	}
	user, password, given := req.BasicAuth()
	if given && (user != r.opts.User || password != r.opts.Password) {
		refuse(rw, http.StatusUnauthorized, "UNAUTHORIZED", "wrong user or password")
		return
	}
	token := rand.Text()
	var scopes []string
	if given || r.opts.User == "" {
		for _, scope := range req.URL.Query()["scope"] {
			scopes = append(scopes, strings.Fields(scope)...)
		}
	}
	r.content.Lock()
	r.tokens[token] = scopes
	r.content.Unlock()
	rw.Header().Set("Content-Type", "application/json")
	answer := map[string]any{"token": token, "expires_in": 60}
	if r.opts.Issued != "" {
		answer["issued_at"] = r.opts.Issued
	}
	_ = json.NewEncoder(rw).Encode(answer)
}

// admit tells whether a request has a token for what it asks, and answers where
// it doesn't.
func (r *Registry) admit(rw http.ResponseWriter, req *http.Request, repo, kind string) bool {
	action := "push"
	if kind == "" || req.Method == http.MethodGet || req.Method == http.MethodHead {
		action = "pull"
	}
	token, bearer := strings.CutPrefix(req.Header.Get("Authorization"), "Bearer ")
	r.content.Lock()
	scopes, known := r.tokens[token]
	r.content.Unlock()
	if bearer && known && (kind == "" || allows(scopes, repo, action)) {
		return true
	}
	challenge := fmt.Sprintf(`Bearer realm="%s/token",service="testworld"`, r.URL)
	if kind != "" {
		challenge += fmt.Sprintf(`,scope="repository:%s:pull,%s"`, repo, action)
	}
	rw.Header().Set("WWW-Authenticate", challenge)
	refuse(rw, http.StatusUnauthorized, "UNAUTHORIZED", "a token is needed")
	return false
}

// mayRead tells whether a request may read a repository that it isn't about.
func (r *Registry) mayRead(req *http.Request, repo string) bool {
	if !r.opts.Tokens {
		return true
	}
	token := strings.TrimPrefix(req.Header.Get("Authorization"), "Bearer ")
	r.content.Lock()
	defer r.content.Unlock()
	return allows(r.tokens[token], repo, "pull")
}

// allows reads scopes such as "repository:acme/model:pull,push".
func allows(scopes []string, repo, action string) bool {
	return slices.ContainsFunc(scopes, func(scope string) bool {
		actions, ok := strings.CutPrefix(scope, "repository:"+repo+":")
		return ok && slices.Contains(strings.Split(actions, ","), action)
	})
}
