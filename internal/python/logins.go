package python

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"

	"lamina.build/internal/requirements"
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
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		merged[host] = login
	}
	return merged
}

// netrc is l as pip and the scripts read it.
func (l Logins) netrc() []byte {
	var text strings.Builder
	for _, host := range slices.Sorted(maps.Keys(l)) {
		fmt.Fprintf(&text, "machine %s login %s password %s\n", host, l[host].User, l[host].Password)
	}
	return []byte(text.String())
}

// Secrets are the names and values under which an engine asks for the logins
// when it fetches from their hosts: BuildKit looks for HTTP_AUTH_HEADER_HOST
// (source/http), so that no graph need name them.
func (l Logins) Secrets() map[string][]byte {
	secrets := map[string][]byte{}
	for host, login := range l {
		pair := base64.StdEncoding.EncodeToString([]byte(login.User + ":" + login.Password))
		secrets["HTTP_AUTH_HEADER_"+host] = []byte("Basic " + pair)
	}
	return secrets
}
