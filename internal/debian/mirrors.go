package debian

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"lamina.build/internal/failure"
)

// Debian's own repositories.
const (
	Main     = "debian"
	Security = "debian-security"
)

// Mirrors maps the name of a repository to the URL that its dists and pool paths are relative
// to, without a trailing slash. Besides http and https, a URL may be file:///directory.
type Mirrors map[string]string

// RepositoryOf returns which of Debian's own repositories has a suite.
func RepositoryOf(suite string) string {
	if strings.HasSuffix(suite, "-security") {
		return Security
	}
	return Main
}

// URL returns the URL of a path in a repository. It escapes plus signs as apt does, since
// object stores read a bare one as a space.
func (m Mirrors) URL(repository, name string) string {
	return strings.TrimSuffix(m[repository], "/") + "/" + strings.ReplaceAll(path.Clean(name), "+", "%2B")
}

// Merge takes each repository's mirror from the first that has one. The order of precedence
// is: flag, environment, spec, host, snapshot archive.
func Merge(byPrecedence ...Mirrors) Mirrors {
	merged := Mirrors{}
	for _, m := range slices.Backward(byPrecedence) {
		maps.Copy(merged, m)
	}
	return merged
}

// Snapshot returns Debian's public snapshot archive as of t.
func Snapshot(t time.Time) Mirrors {
	at := t.UTC().Format("20060102T150405Z")
	return Mirrors{
		Main:     "https://snapshot.debian.org/archive/debian/" + at,
		Security: "https://snapshot.debian.org/archive/debian-security/" + at,
	}
}

// ParseMirrors parses a user's setting: "URL" for Debian's own repositories, or
// "name=URL,name=URL" for any. An empty one yields no mirrors.
func ParseMirrors(s string) (Mirrors, error) {
	mirrors := Mirrors{}
	for item := range strings.SplitSeq(s, ",") {
		item = strings.TrimSpace(item)
		if item == "" {
			continue
		}
		name, address, named := cutName(item)
		base, err := parseBase(address)
		if err != nil {
			return nil, badMirror(item, err)
		}
		if _, twice := mirrors[name]; twice {
			return nil, badMirror(item, fmt.Errorf("%q is given twice", name))
		}
		mirrors[name] = base
		if !named {
			addSibling(mirrors, base)
		}
	}
	return mirrors, nil
}

var login = regexp.MustCompile(`://[^/]*@`)

func badMirror(item string, err error) error {
	if login.MatchString(item) {
		item = login.ReplaceAllString(item, "://…@")
		if _, unread := errors.AsType[*url.Error](err); unread { // which quotes the address
			err = errors.New("not a URL")
		}
	}
	return failure.WithHint(
		failure.New(failure.Usage, fmt.Errorf("reading mirror %q: %w", item, err)),
		"write https://host/debian, or debian=URL,debian-security=URL, or a directory that begins with a slash",
	)
}

var repositoryName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]*$`)

// cutName splits "name=URL"; a bare URL may contain an equals sign, too.
func cutName(item string) (name, address string, named bool) {
	before, after, found := strings.Cut(item, "=")
	if found && repositoryName.MatchString(before) {
		return before, after, true
	}
	return Main, item, false
}

func parseBase(address string) (string, error) {
	if strings.HasPrefix(address, "/") {
		return fileURL(address), nil
	}
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return "", err
	case u.Scheme == "http" || u.Scheme == "https":
		if u.Host == "" {
			return "", fmt.Errorf("no host in it")
		}
		if u.User != nil {
			return "", fmt.Errorf("a login in it, which graphs and logs would show")
		}
	case u.Scheme == "file":
		if u.Host != "" || !strings.HasPrefix(u.Path, "/") {
			return "", fmt.Errorf("a file URL has three slashes")
		}
		return fileURL(u.Path), nil
	default:
		return "", fmt.Errorf("neither http, https, file nor a directory")
	}
	return strings.TrimRight(address, "/"), nil
}

func fileURL(name string) string {
	return (&url.URL{Scheme: "file", Path: path.Clean(name)}).String()
}

var mainBase = regexp.MustCompile(`/debian(/\d{8}T\d{6}Z)?$`)

// addSibling derives the security archive from a mirror of the main one: they are next to each
// other on nearly all mirrors, and on snapshot archives.
func addSibling(m Mirrors, base string) {
	if mainBase.MatchString(base) {
		m[Security] = mainBase.ReplaceAllString(base, "/debian-security$1")
	}
}
