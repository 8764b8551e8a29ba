package requirements

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"lamina.build/internal/fault"
)

var hostPort = regexp.MustCompile(`^(\[[0-9a-f:.]+\]|[a-z0-9]([a-z0-9._-]*[a-z0-9])?)(:[0-9]{1,5})?$`)

// hasScheme tells a URL from a path or name (RFC 3986, section 3.1).
func hasScheme(s string) bool {
	scheme, _, ok := strings.Cut(s, ":")
	return ok && scheme != "" && isAlphanumeric(scheme[0]) && strings.TrimLeft(scheme, schemeBytes) == ""
}

const schemeBytes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+.-"

// webURL checks a URL (RFC 3986) of the web and writes its scheme and host in
// lower case. Nothing of one with a broken host is repeated: a password that
// holds a / or # breaks it.
func webURL(s string) (string, error) {
	scheme, rest, ok := strings.Cut(s, "://")
	scheme = strings.ToLower(scheme)
	if scheme != "https" && scheme != "http" || !ok {
		return "", fmt.Errorf("%s is not a URL that starts with https:// or http://", quote(s))
	}
	host, tail := cutAuthority(rest)
	host = strings.ToLower(host)
	if !hostPort.MatchString(host) {
		return "", fault.WithHint(errors.New("the URL has no valid host and port"),
			"in a user or password, @ : / ? # are written %40 %3A %2F %3F %23")
	}
	address := scheme + "://" + host + tail
	return address, cleanURL(address)
}

// cleanURL refuses what tools read differently, or not at all.
func cleanURL(s string) error {
	if i := strings.IndexFunc(s, func(c rune) bool { return c <= ' ' || c > '~' || strings.ContainsRune(`"\;<>^|`+"`", c) }); i >= 0 {
		return fmt.Errorf("%s holds %q, which a URL has only percent-encoded", quote(s), []rune(s[i:])[0])
	}
	u, err := url.Parse(s)
	if err != nil {
		return fmt.Errorf("%s is not a valid URL", quote(s))
	}
	if p := u.Path + "/"; strings.Contains(p, "/../") || strings.Contains(p, "/./") {
		return fmt.Errorf("%s has . or .. in its path, which is not clean", quote(s))
	}
	return nil
}

// remote reads the URL of a requirement, by its scheme.
func (r *reader) remote(l line, p project, text string) (Requirement, error) {
	scheme, rest, _ := strings.Cut(text, ":")
	scheme = strings.ToLower(scheme)
	switch scheme {
	case "http", "https":
		return download(p, text)
	case "git+http", "git+https":
		return checkout(p, strings.TrimPrefix(scheme, "git+")+":"+rest)
	case "file":
		return r.fileURL(l, p, text)
	}
	return Requirement{}, refusedScheme(scheme, text)
}

// fileURL reads a file URL, whose fragment can only tell the name.
func (r *reader) fileURL(l line, p project, text string) (Requirement, error) {
	_, fragment, _ := strings.Cut(text, "#")
	parts, err := parseFragment(fragment)
	if err != nil {
		return Requirement{}, err
	}
	if parts.subdirectory != "" || parts.hash != "" {
		return Requirement{}, fmt.Errorf("%s has a fragment other than #egg=NAME; a hash is written --hash=sha256:…", quote(text))
	}
	if p, err = p.or(parts.project); err != nil {
		return Requirement{}, err
	}
	name, _ := cutFileScheme(text)
	return r.path(l, p, name)
}

func refusedScheme(scheme, text string) error {
	tool, _, versioned := strings.Cut(scheme, "+")
	switch {
	case scheme == "git+ssh" || scheme == "ssh":
		return fmt.Errorf("%s can't be used: git over ssh needs a key, write git+https://", quote(scheme+"://"))
	case scheme == "git+file":
		return fmt.Errorf("%s can't be used: the repository is on one machine only, write git+https://", quote(scheme+"://"))
	case tool == "git":
		return fmt.Errorf("%s can't be used: nothing vouches for the host, write git+https://", quote(scheme+"://"))
	case versioned && (tool == "hg" || tool == "svn" || tool == "bzr"):
		return fmt.Errorf("%s can't be used: of version control systems only git's commits are known to stay the same",
			quote(scheme+"://"))
	}
	return fault.WithHint(fmt.Errorf("%s is not a URL that starts with https://, http:// or git+https://", quote(text)),
		"the path of an archive begins with ./")
}
