package uv

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/session/secrets"
	"github.com/moby/buildkit/session/secrets/secretsprovider"

	"lamina.build/internal/resolve/userinfo"
)

// Logins are logins by host, or by "HOST/PATH" for addresses below a path. They reach an
// engine only as secrets of a session: no graph, lock or log contains any.
type Logins map[string]userinfo.Login

// Merge returns the logins of l, overridden by others, by host without port: neither a
// .netrc nor BuildKit supports ports. A user without a password doesn't override the same one
// with a password, as in an address next to a .netrc.
func (l Logins) Merge(others map[string]userinfo.Login) Logins {
	merged := Logins{}
	maps.Copy(merged, l)
	for other, login := range others { // that of a host overrides those of its paths
		maps.DeleteFunc(merged, func(place string, _ userinfo.Login) bool {
			return login.Password != "" && strings.HasPrefix(place, key(other)+"/")
		})
	}
	for _, place := range slices.Sorted(maps.Keys(others)) { // of two ports, always the same one
		_, known, _ := merged.at(key(place))
		if other := others[place]; other.Password != "" || other.User != known.User {
			merged[key(place)] = other
		}
	}
	return merged
}

// OfHosts returns the logins with one for a host whose paths all have the same: its files may
// be elsewhere.
func (l Logins) OfHosts() Logins {
	different, merged := map[string]map[userinfo.Login]bool{}, Logins{}
	for place, login := range l {
		host, _, _ := strings.Cut(place, "/")
		if different[host] == nil {
			different[host] = map[userinfo.Login]bool{}
		}
		different[host][login] = true
	}
	for place, login := range l {
		if host, _, _ := strings.Cut(place, "/"); len(different[host]) == 1 {
			place = host
		}
		merged[place] = login
	}
	return merged
}

// Only returns the logins for some addresses: an engine needs no others.
func (l Logins) Only(addresses []string) Logins {
	some := Logins{}
	for _, address := range addresses {
		if place, login, ok := l.find(address); ok {
			some[place] = login
		}
	}
	return some
}

// Secret returns the ID of the secret with the login for an address, if the one of its host
// is another: an engine asks for that on its own.
func (l Logins) Secret(address string) string {
	if place, _, ok := l.find(address); ok && strings.Contains(place, "/") {
		return httpSecret + place
	}
	return ""
}

// httpSecret is the prefix of the IDs of secrets for downloads.
const httpSecret = "HTTP_AUTH_HEADER_" //nolint:gosec // not a secret

// Secrets serves the logins to an engine, for as long as a session lasts.
func (l Logins) Secrets() session.Attachable { return secretsprovider.NewSecretProvider(l) }

// GetSecret implements BuildKit's secret store. An engine that fetches from a host asks for
// HTTP_AUTH_HEADER_HOST (source/http) or GIT_AUTH_HEADER.HOST:PORT (source/git) on its own,
// so that no graph needs to name them.
func (l Logins) GetSecret(_ context.Context, id string) ([]byte, error) {
	for _, prefix := range []string{httpSecret, "GIT_AUTH_HEADER."} {
		host, ok := strings.CutPrefix(id, prefix)
		if login, known := l.of(host); ok && known {
			return []byte("Basic " + base64.StdEncoding.EncodeToString([]byte(login.User+":"+login.Password))), nil
		}
	}
	return nil, fmt.Errorf("secret %q: %w", id, secrets.ErrNotFound)
}

// For returns the login for an address, as the client of the door asks for it.
func (l Logins) For(u *url.URL) (user, password string, ok bool) {
	_, login, ok := l.find(u.String())
	return login.User, login.Password, ok
}

// find returns the login for an address, and the place that it is of: the innermost one.
func (l Logins) find(address string) (place string, login userinfo.Login, ok bool) {
	u, err := url.Parse(strings.TrimPrefix(address, "git+"))
	if err != nil || u.Hostname() == "" {
		return "", login, false
	}
	return l.at(key(u.Hostname()) + path.Clean("/"+u.Path))
}

// at returns the login for "HOST/PATH", and its own place.
func (l Logins) at(inner string) (place string, login userinfo.Login, ok bool) {
	host, below, _ := strings.Cut(inner, "/")
	for ; below != "" && below != "."; below = path.Dir(below) {
		if login, ok = l[host+"/"+below]; ok {
			return host + "/" + below, login, true
		}
	}
	login, ok = l[host]
	return host, login, ok
}

// of returns the login of a host, or of a path of it.
func (l Logins) of(place string) (userinfo.Login, bool) {
	login, ok := l[key(place)]
	return login, ok
}

// key returns the canonical spelling of a host without its port, and of a path of it.
func key(place string) string {
	host, below, isBelow := strings.Cut(place, "/")
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(host)
	if isBelow {
		host += "/" + below
	}
	return host
}

// overHTTPS rewrites the ssh addresses in a text. Their hosts must have logins.
func (l Logins) overHTTPS(text string) (string, error) {
	var problems []error
	text = sshAddress.ReplaceAllStringFunc(text, func(at string) string {
		host := sshAddress.FindStringSubmatch(at)[1]
		if _, ok := l.of(host); !ok {
			problems = append(problems, needsLogin(host))
		}
		return "https://" + host + "/"
	})
	return text, errors.Join(problems...)
}

// ParseNetrc reads the logins of a .netrc, the file that pip, git and curl share, as Python
// does for pip: words may be quoted, and the last entry for a host wins. "default" entries
// and macros name no host, and are left out.
func ParseNetrc(data []byte) Logins {
	logins := Logins{}
	host := ""
	words := netrcWords{string(data)}
	for word, ok := words.next(); ok; word, ok = words.next() {
		login := logins[host]
		switch word {
		case "machine":
			host, _ = words.next()
			host = strings.ToLower(host)
			delete(logins, host)
			continue
		case "default":
			host = ""
			continue
		case "login", "user":
			login.User, _ = words.next()
		case "password":
			login.Password, _ = words.next()
		case "account":
			_, _ = words.next()
			continue
		default:
			words.skip(word)
			continue
		}
		if host != "" {
			logins[host] = login
		}
	}
	return logins
}

// netrcWords is the unread rest of a .netrc.
type netrcWords struct{ rest string }

const netrcSpace = " \t\r\n"

// next reads a word. A backslash escapes the next character.
func (w *netrcWords) next() (word string, ok bool) {
	w.rest = strings.TrimLeft(w.rest, netrcSpace)
	if w.rest == "" {
		return "", false
	}
	ends := netrcSpace
	if w.rest[0] == '"' {
		ends, w.rest = `"`, w.rest[1:]
	}
	var text strings.Builder
	i := 0
	for ; i < len(w.rest) && !strings.ContainsRune(ends, rune(w.rest[i])); i++ {
		if w.rest[i] == '\\' && i+1 < len(w.rest) {
			i++
		}
		text.WriteByte(w.rest[i])
	}
	if i < len(w.rest) && ends == `"` {
		i++
	}
	w.rest = w.rest[i:]
	return text.String(), true
}

// skip skips a comment to the end of its line, and a macro to the next empty line.
func (w *netrcWords) skip(word string) {
	isMacro := word == "macdef"
	if !isMacro && !strings.HasPrefix(word, "#") {
		return
	}
	_, w.rest, _ = strings.Cut(w.rest, "\n")
	for isMacro && w.rest != "" {
		var line string
		if line, w.rest, _ = strings.Cut(w.rest, "\n"); strings.TrimSpace(line) == "" {
			return
		}
	}
}
