package spec

import (
	"fmt"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"lamina.build/internal/toml"
)

// address returns a check for a URL with one of the schemes. It rejects what a lock would
// leak or a mirror can't have: passwords, queries, fragments.
func address(schemes ...string) toml.Check {
	return func(s string) (string, error) {
		u, err := url.Parse(s)
		switch {
		case err != nil || !slices.Contains(schemes, u.Scheme) || u.Opaque != "":
			return "", fmt.Errorf("%q is not a URL that starts with %s", s, strings.Join(schemes, ":// or ")+"://")
		case u.Host == "" && u.Scheme != "file":
			return "", fmt.Errorf("%q names no host", s)
		case u.User != nil:
			return "", fmt.Errorf("%q holds a user name, which doesn't belong in a spec", u.Redacted())
		case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
			return "", fmt.Errorf("%q has a query or fragment, want a plain address", s)
		case strings.Contains(u.Path, "/../") || strings.HasSuffix(u.Path, "/.."):
			return "", fmt.Errorf("%q is not clean", s)
		}
		return strings.TrimRight(s, "/"), nil
	}
}

const hubWord = `[A-Za-z0-9][A-Za-z0-9._-]*`

var (
	anyAddress  = address("https", "http")
	mirrorURL   = address("https", "http", "file")
	secureURL   = address("https")
	hubModel    = regexp.MustCompile(`^hf://` + hubWord + `/` + hubWord + `@` + hubWord + `(/` + hubWord + `)*$`)
	separators  = regexp.MustCompile(`[^a-z0-9]+`)
	accountName = regexp.MustCompile(`^[a-z_][a-z0-9_-]{0,31}$`)
	imagePath   = regexp.MustCompile(`^(localhost|[a-z0-9-]+(\.[a-z0-9-]+)+|[a-z0-9.-]+:[0-9]+|\[[0-9a-f:]+\](:[0-9]+)?)(/[a-z0-9]+(([._]|__|-+)[a-z0-9]+)*)+$`)
)

// modelSource checks the source of a model.
func modelSource(s string) (string, error) {
	scheme, rest, _ := strings.Cut(s, ":")
	switch scheme {
	case "dir":
		directory, err := local(rest)
		if err != nil {
			return "", err
		}
		return "dir:" + directory, nil
	case "hf":
		if !hubModel.MatchString(s) {
			return "", fmt.Errorf(`%q is not "hf://ORG/NAME@REVISION"`, s)
		}
		return s, nil
	case "https":
		return secureURL(s)
	}
	const want = `"dir:DIR", "hf://ORG/NAME@REVISION" or "https://…"`
	return "", fmt.Errorf("%q is not a source of models, want "+want, s)
}

// imageRepository checks the name of a repository of images. It requires the host, so
// that readers see who is trusted.
func imageRepository(s string) (string, error) {
	name, _, digested := strings.Cut(s, "@")
	_, last, _ := strings.Cut(name, "/")
	switch tagged := strings.Contains(last, ":"); {
	case digested || tagged:
		return "", fmt.Errorf("%q has a tag or a digest; name only the repository, image.lock holds the digest", s)
	case !imagePath.MatchString(s):
		return "", fmt.Errorf("%q is not a repository with a registry (\"ghcr.io/acme/weights\")", s)
	}
	return s, nil
}

// relative checks a path below something other than the directory of the spec: a
// repository's root, a model's directory.
func relative(s string) (string, error) {
	if err := plain(s); err != nil {
		return "", err
	}
	if clean := path.Clean(s); path.IsAbs(s) || clean != s || clean == "." || strings.HasPrefix(clean, "..") {
		return "", fmt.Errorf("%q is not a clean relative path", s)
	}
	return s, nil
}

// subfolder is relative, or "" for the whole.
func subfolder(s string) (string, error) {
	if s == "" {
		return "", nil
	}
	return relative(s)
}

// repositorySuite checks a suite, or the path of a repository without suites,
// which ends in a slash.
func repositorySuite(s string) (string, error) {
	flat, ok := strings.CutSuffix(s, "/")
	if !ok {
		return pattern(`[a-zA-Z0-9][a-zA-Z0-9._-]*(/[a-zA-Z0-9][a-zA-Z0-9._-]*)*`,
			`a suite ("stable") nor a flat path, which ends in / ("./")`)(s)
	}
	if flat == "" || flat == "." {
		return "./", nil
	}
	if _, err := relative(flat); err != nil {
		return "", fmt.Errorf("%q is not a clean flat path", s)
	}
	return s, nil
}

// nameFor derives a repository's name from its URL.
func nameFor(address string) string {
	_, rest, _ := strings.Cut(strings.ToLower(address), "://")
	return strings.Trim(separators.ReplaceAllString(rest, "-"), "-")
}
