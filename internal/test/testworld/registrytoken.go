package testworld

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// ExpireTokens invalidates all tokens issued so far.
func (r *Registry) ExpireTokens() {
	r.content.Lock()
	defer r.content.Unlock()
	clear(r.tokens)
}

// Scopes returns all requested scopes, such as "repository:acme/model:pull".
func (r *Registry) Scopes() []string {
	r.content.Lock()
	defer r.content.Unlock()
	return slices.Clone(r.scopes)
}

// serveToken is the token service, see
// https://distribution.github.io/distribution/spec/auth/token/. Other users get tokens
// without any scope. Of the POST form it supports identity tokens.
func (r *Registry) serveToken(rw http.ResponseWriter, req *http.Request) {
	_ = req.ParseForm() // an invalid form requests nothing
	user, password, given := req.BasicAuth()
	wrong := given && (user != r.opts.User || password != r.opts.Password)
	if req.Method == http.MethodPost && r.opts.Identity != "" {
		given = true
		wrong = req.PostFormValue("grant_type") != "refresh_token" || req.PostFormValue("refresh_token") != r.opts.Identity
	} else if req.Method != http.MethodGet {
		http.NotFound(rw, req)
		return
	}
	if wrong {
		refuse(rw, http.StatusUnauthorized, "UNAUTHORIZED", "wrong user or password")
		return
	}
	token := rand.Text()
	var asked, scopes []string
	for _, scope := range req.Form["scope"] {
		asked = append(asked, strings.Fields(scope)...)
	}
	if given || r.opts.User == "" {
		scopes = asked
	}
	r.content.Lock()
	r.tokens[token] = scopes
	r.scopes = append(r.scopes, asked...)
	r.content.Unlock()
	rw.Header().Set("Content-Type", "application/json")
	answer := map[string]any{"token": token, "expires_in": 60}
	if r.opts.Issued != "" {
		answer["issued_at"] = r.opts.Issued
	}
	_ = json.NewEncoder(rw).Encode(answer)
}

// admit reports whether a request has a token for what it requests, and answers it otherwise.
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
	scheme := "http"
	if req.TLS != nil {
		scheme = "https"
	}
	challenge := fmt.Sprintf(`Bearer realm="%s://%s/token",service="testworld"`, scheme, req.Host)
	if kind != "" {
		challenge += fmt.Sprintf(`,scope="repository:%s:pull,%s"`, repo, action)
	}
	rw.Header().Set("WWW-Authenticate", challenge)
	refuse(rw, http.StatusUnauthorized, "UNAUTHORIZED", "a token is needed")
	return false
}

// mayRead reports whether a request may read a repository other than its own.
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
