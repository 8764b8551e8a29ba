package testworld

import "net/http"

// gate is a directory that requires a password.
type gate struct{ user, password string }

// Protect makes a directory require a user and a password, with HTTP basic authentication.
func (w *World) Protect(directory, user, password string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.gates[clean(directory)] = gate{user, password}
}

// gateOf returns the gate of a path, and whether it stays shut.
func (w *World) gateOf(name string, r *http.Request) (gate, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	user, password, _ := r.BasicAuth()
	for directory, g := range w.gates {
		if below(directory, name) && g != (gate{user, password}) {
			return g, true
		}
	}
	return gate{}, false
}

func (gate) refuse(rw http.ResponseWriter) {
	rw.Header().Set("WWW-Authenticate", `Basic realm="testworld"`)
	http.Error(rw, "a password is needed", http.StatusUnauthorized)
}
