package testworld

import "net/http"

// gate is a directory that asks for a password.
type gate struct{ user, password string }

// Protect lets a directory ask for a user and a password, the HTTP basic way.
func (w *World) Protect(directory, user, password string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.gates[clean(directory)] = gate{user, password}
}

// gateOf returns the gate before a path, and whether it stays shut.
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
