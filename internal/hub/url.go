package hub

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"lamina.build/internal/failure"
)

// URL returns where a hub has a file of a repository "ORG/NAME" at a commit,
// so that a lock need not name the hub.
func (c *Client) URL(repo, commit, path string) string {
	return c.repoURL(repo) + "/resolve/" + url.PathEscape(commit) + "/" + escape(path)
}

// repoURL is the page of a repository.
func (c *Client) repoURL(repo string) string { return c.endpoint.String() + "/" + escape(repo) }

// apiURL is where the hub answers questions about a repository.
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

// subject is what an address of the hub is about. Any other is about nothing.
type subject struct{ repo, revision, path string }

// subjectOf reads an address back, as huggingface_hub does for its messages.
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

// The names that validate_repo_id of huggingface_hub takes, but for the old
// ones without an organisation.
var repoName = regexp.MustCompile(`^\w([\w.-]{0,94}\w)?$`)

// checkRepo refuses what is no name of a repository.
func checkRepo(repo string) error {
	org, name, _ := strings.Cut(repo, "/")
	fits := repoName.MatchString(org) && repoName.MatchString(name)
	if fits && !strings.Contains(repo, "--") && !strings.Contains(repo, "..") && !strings.HasSuffix(repo, ".git") {
		return nil
	}
	err := failure.New(failure.Usage, fmt.Errorf("repository %q is not of the form ORG/NAME", repo))
	return failure.WithHint(err, "it is named as on its page, such as Wan-AI/Wan2.2-Animate-14B")
}
