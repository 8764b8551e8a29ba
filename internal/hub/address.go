package hub

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"lamina.build/internal/failure"
	"lamina.build/lock"
)

// Locate returns a locked model with the download address of every file, so that a lock
// need not name the hub.
func (c *Client) Locate(m lock.Model) lock.Model {
	repository, _, isHub := m.Repository()
	if !isHub {
		return m
	}
	m.Files = slices.Clone(m.Files)
	for i, f := range m.Files {
		m.Files[i].URL = c.fileURL(repository, m.Commit, f.Path)
	}
	return m
}

func (c *Client) fileURL(repo, commit, path string) string {
	return c.repoURL(repo) + "/resolve/" + url.PathEscape(commit) + "/" + escape(path)
}

// repoURL returns the page of a repository.
func (c *Client) repoURL(repo string) string { return c.endpoint.String() + "/" + escape(repo) }

// apiURL returns the API's address for a query about a repository.
func (c *Client) apiURL(repo, verb, revision string) string {
	return c.endpoint.String() + "/api/models/" + escape(repo) + "/" + verb + "/" + url.PathEscape(revision)
}

// escape escapes all but the slashes of a path. A plus as well, since object
// stores read a bare one as a space.
func escape(path string) string {
	elements := strings.Split(path, "/")
	for i, e := range elements {
		elements[i] = strings.ReplaceAll(url.PathEscape(e), "+", "%2B")
	}
	return strings.Join(elements, "/")
}

// subject is what an address of the hub refers to; any other address has the zero value.
type subject struct{ repo, revision, path string }

// subjectOf parses an address, as huggingface_hub does for its messages.
func (c *Client) subjectOf(u *url.URL) (s subject) {
	rest, ours := strings.CutPrefix(u.EscapedPath(), c.endpoint.EscapedPath()+"/")
	if !sameHost(u, c.endpoint) || !ours {
		return s
	}
	p := strings.SplitN(strings.TrimPrefix(rest, "api/models/"), "/", 5)
	for i := range p {
		if plain, err := url.PathUnescape(p[i]); err == nil {
			p[i] = plain
		}
	}
	if len(p) < 4 {
		return s
	}
	s = subject{repo: p[0] + "/" + p[1], revision: p[3]}
	if p[2] == "resolve" && len(p) == 5 {
		s.path = p[4]
	}
	return s
}

// The names that validate_repo_id of huggingface_hub accepts, except old ones without an
// organisation.
var repoName = regexp.MustCompile(`^\w([\w.-]{0,94}\w)?$`)

// checkRepo refuses an invalid repository name.
func checkRepo(repo string) error {
	org, name, _ := strings.Cut(repo, "/")
	fits := repoName.MatchString(org) && repoName.MatchString(name)
	if fits && !strings.Contains(repo, "--") && !strings.Contains(repo, "..") && !strings.HasSuffix(repo, ".git") {
		return nil
	}
	err := failure.New(failure.Usage, fmt.Errorf("repository %q is not of the form ORG/NAME", repo))
	return failure.WithHint(err, "use the name on its page, such as Wan-AI/Wan2.2-Animate-14B")
}

// PathError is a file that can't go into an image, at least not under its listed path.
type PathError struct {
	Path   string
	Reason string
}

func (e *PathError) Error() string { return "path " + strconv.Quote(e.Path) + ": " + e.Reason }

// checkPaths reports every path that leads out of its directory, that has a special
// meaning in a layer, that is listed twice, or that is the directory of another.
func checkPaths(files []File) error {
	names := map[string]bool{}
	var problems []*PathError
	add := func(name, reason string) { problems = append(problems, &PathError{name, reason}) }
	for _, f := range files {
		if reason := unfit(f.Path); reason != "" {
			add(f.Path, reason)
		} else if names[f.Path] {
			add(f.Path, "is listed twice")
		}
		names[f.Path] = true
	}
	for name := range names {
		for dir := path.Dir(name); dir != "." && dir != "/"; dir = path.Dir(dir) {
			if names[dir] {
				add(name, "lies below the file "+strconv.Quote(dir))
			}
		}
	}
	slices.SortFunc(problems, func(a, b *PathError) int { return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Reason, b.Reason)) })
	joined := make([]error, len(problems))
	for i, f := range problems {
		joined[i] = f
	}
	return errors.Join(joined...)
}

// unfit returns what is wrong with a path, or "". Backslashes and paths that differ only
// in case are allowed: to Linux they are names.
func unfit(name string) string {
	switch {
	case name == "." || !fs.ValidPath(name):
		return "not a clean path below its directory"
	case strings.ContainsFunc(name, unicode.IsControl):
		return "contains a control character"
	case len(name) > 4000:
		return "longer than 4,000 bytes, which is close to the system's limit"
	}
	for element := range strings.SplitSeq(name, "/") {
		switch {
		case strings.HasPrefix(element, ".wh."):
			return "a name that begins with .wh. deletes files in a layer"
		case len(element) > 255:
			return "contains a name longer than 255 bytes"
		}
	}
	return ""
}
