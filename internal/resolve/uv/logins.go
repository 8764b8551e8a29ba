package uv

import (
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"net"
	"strings"

	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/session/secrets"
	"github.com/moby/buildkit/session/secrets/secretsprovider"

	"lamina.build/internal/resolve/requirements"
)

// Logins are user and password by host. They reach an engine as secrets of a
// session alone: no graph, lock or log holds any.
type Logins map[string]requirements.Login

// Merge returns the logins of l with those of others over them, by host alone:
// neither a .netrc nor BuildKit knows ports.
func (l Logins) Merge(others map[string]requirements.Login) Logins {
	merged := Logins{}
	maps.Copy(merged, l)
	for host, login := range others {
		merged[key(host)] = login
	}
	return merged
}

// Secrets serves the logins to an engine, for as long as a session lasts.
func (l Logins) Secrets() session.Attachable { return secretsprovider.NewSecretProvider(l) }

// GetSecret implements BuildKit's secret store. An engine that fetches from a
// host asks for HTTP_AUTH_HEADER_HOST (source/http) or GIT_AUTH_HEADER.HOST:PORT
// (source/git) by itself, so that no graph need name them.
func (l Logins) GetSecret(_ context.Context, id string) ([]byte, error) {
	for _, prefix := range []string{"HTTP_AUTH_HEADER_", "GIT_AUTH_HEADER."} {
		host, ok := strings.CutPrefix(id, prefix)
		if login, known := l.of(host); ok && known {
			return []byte("Basic " + base64.StdEncoding.EncodeToString([]byte(login.User+":"+login.Password))), nil
		}
	}
	return nil, fmt.Errorf("secret %q: %w", id, secrets.ErrNotFound)
}

// For returns the login for a host, as the client of the door asks for it.
func (l Logins) For(host string) (user, password string, ok bool) {
	login, ok := l.of(host)
	return login.User, login.Password, ok
}

func (l Logins) of(host string) (requirements.Login, bool) {
	login, ok := l[key(host)]
	return login, ok
}

// key is a host without its port, in the one spelling of it.
func key(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.ToLower(host)
}
