package uv

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"

	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/session/secrets"
	"github.com/moby/buildkit/session/secrets/secretsprovider"

	"lamina.build/internal/resolve/userinfo"
)

// Logins are logins by host. They reach an engine only as secrets of a session: no graph,
// lock or log contains any.
type Logins map[string]userinfo.Login

// Merge returns the logins of l, overridden by others, by host without port: neither a
// .netrc nor BuildKit supports ports. A user without a password doesn't override the same one
// with a password, as in an address next to a .netrc.
func (l Logins) Merge(others map[string]userinfo.Login) Logins {
	merged := Logins{}
	maps.Copy(merged, l)
	for _, host := range slices.Sorted(maps.Keys(others)) { // of two ports, always the same one
		if other := others[host]; other.Password != "" || other.User != merged[key(host)].User {
			merged[key(host)] = other
		}
	}
	return merged
}

// Only returns the logins for the hosts of some addresses: an engine needs no others.
func (l Logins) Only(addresses []string) Logins {
	some := Logins{}
	for _, address := range addresses {
		host := hostOf(address)
		if login, ok := l.of(host); ok {
			some[key(host)] = login
		}
	}
	return some
}

// Secrets serves the logins to an engine, for as long as a session lasts.
func (l Logins) Secrets() session.Attachable { return secretsprovider.NewSecretProvider(l) }

// GetSecret implements BuildKit's secret store. An engine that fetches from a host asks for
// HTTP_AUTH_HEADER_HOST (source/http) or GIT_AUTH_HEADER.HOST:PORT (source/git) on its own,
// so that no graph needs to name them.
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

func (l Logins) of(host string) (userinfo.Login, bool) {
	login, ok := l[key(host)]
	return login, ok
}

// key returns the canonical spelling of a host without its port.
func key(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.ToLower(host)
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
