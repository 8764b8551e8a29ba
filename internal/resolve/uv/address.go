package uv

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"lamina.build/internal/failure"
	"lamina.build/internal/resolve/door"
)

// required returns the addresses of files and repositories that a request requires, besides
// its indexes.
func (r Request) required() []string { return addresses(r.requiring(), address) }

// requiring returns the texts that have these addresses.
func (r Request) requiring() []string {
	texts := slices.Concat(r.Overrides, r.ProjectTexts, []string{r.LockText})
	for _, lines := range r.BuildRequires {
		texts = append(texts, lines...)
	}
	for _, w := range slices.Concat(r.Files.Requirements, r.Files.Constraints) {
		texts = append(texts, w.URL)
	}
	return texts
}

// treesRequire returns the addresses that the source trees of a request require. Others in
// their programs or comments are no requirements.
func (r Request) treesRequire() []string {
	return append(addresses(r.TreeTexts, address), addresses(r.TreePrograms, requirementAddress)...)
}

// named returns all addresses in a request, besides its indexes.
func (r Request) named() []string {
	return append(r.required(), r.treesRequire()...)
}

// direct returns the files that a request names by address, with their projects.
func (r Request) direct() map[string]string {
	named := map[string]string{}
	for _, text := range r.named() {
		for _, found := range address.FindAllString(text, -1) {
			named[door.Key(found)] = ""
		}
	}
	for _, w := range slices.Concat(r.Files.Requirements, r.Files.Constraints) {
		named[door.Key(w.URL)] = w.Name
	}
	return named
}

var (
	address            = regexp.MustCompile(`(?:git\+)?(?:https?|ssh)://[^\s"'<>]+`)
	requirementAddress = regexp.MustCompile(`(?m)(?:@[ \t]*|^[ \t]*|git\+)(?:https?|ssh)://[^\s"'<>]+`)
)

// addresses returns the addresses in texts, each once.
func addresses(texts []string, form *regexp.Regexp) []string {
	var list []string
	for _, text := range texts {
		text = scpAddress.ReplaceAllString(text, "${1}ssh://git@$2/$3")
		for _, found := range form.FindAllString(text, -1) {
			list = append(list, cleaned(strings.TrimLeft(found, "@ \t")))
		}
	}
	slices.Sort(list)
	return slices.DeleteFunc(slices.Compact(list), func(a string) bool { return a == "" })
}

// cleaned returns an address as it is requested: without the commit of a repository, and by
// https instead of ssh; "" if it is malformed.
func cleaned(address string) string {
	bare, isGit := strings.CutPrefix(address, "git+")
	u, err := url.Parse(bare)
	if err != nil || u.Hostname() == "" || strings.ContainsAny(u.Host, "{}") {
		return ""
	}
	u.User, u.Fragment, u.RawFragment = nil, "", ""
	if u.Scheme == "ssh" {
		u.Scheme, u.Host = "https", u.Hostname()
	}
	if at := strings.LastIndex(u.Path, "@"); isGit && at >= 0 {
		u.Path, u.RawPath = u.Path[:at], ""
	}
	return u.String()
}

// hostOf returns the host of an address, with its port if it has one.
func hostOf(address string) string {
	u, err := url.Parse(strings.TrimPrefix(address, "git+"))
	if err != nil || u.Hostname() == "" {
		return ""
	}
	return u.Host
}

// sshAddress matches ssh addresses of git repositories. They are fetched by https, with the
// login of their host: no exec has a key, and no engine an agent.
var sshAddress = regexp.MustCompile(`ssh://(?:[^\s@/]+@)?([A-Za-z0-9.-]+)(?::\d+)?/`)

// scpAddress matches the short form of ssh addresses, which Poetry reads.
var scpAddress = regexp.MustCompile(`(^|[\s"'])git@([A-Za-z0-9.-]+):([^\s"'<>]+)`)

// ssh returns the beginnings of the ssh addresses in a request, up to the path.
func (r Request) ssh() []string {
	return sshAddress.FindAllString(strings.Join(slices.Concat(r.requiring(), r.TreeTexts, r.TreePrograms), "\n"), -1)
}

func needsLogin(host string) error {
	err := failure.New(failure.Usage, fmt.Errorf("%s: a repository there has an ssh address, but a lock has no ssh key", host))
	return failure.WithHint(err, fmt.Sprintf("put a login for %s into ~/.netrc to fetch it by https; or write git+https://%s/… if it needs none", host, host))
}

// isSSH returns the host if a message is about git using ssh.
func isSSH(text string) (host string, ok bool) {
	found := sshAddress.FindStringSubmatch(text)
	if found == nil || !strings.Contains(text, "git") {
		return "", false
	}
	return found[1], true
}
