package uv

import (
	"fmt"
	"io/fs"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"lamina.build/internal/failure"
	"lamina.build/internal/resolve/door"
)

// required are the addresses that a request requires files and repositories at,
// besides its indexes.
func (r Request) required(project fs.FS) []string {
	texts := slices.Clone(r.Overrides)
	for _, lines := range r.BuildRequires {
		texts = append(texts, lines...)
	}
	for _, w := range slices.Concat(r.Files.Requirements, r.Files.Constraints) {
		texts = append(texts, w.URL)
	}
	for _, name := range r.ProjectFiles {
		if strings.HasSuffix(name, ".toml") || strings.HasSuffix(name, ".lock") {
			texts = append(texts, wants(project, name))
		}
	}
	return addresses(texts, address)
}

// treesRequire are those that the source trees of a request require. What else a
// program or a comment of one names is no requirement.
func (r Request) treesRequire(project fs.FS) []string {
	texts, programs := make([]string, 0, len(r.Sources)), make([]string, 0, 3*len(r.Sources))
	for _, dir := range r.Sources {
		texts = append(texts, wants(project, path.Join(dir, "pyproject.toml")))
		for _, name := range []string{"setup.py", "setup.cfg", "requirements.txt"} {
			data, _ := fs.ReadFile(project, path.Join(dir, name)) // few have all
			programs = append(programs, comment.ReplaceAllString(string(data), ""))
		}
	}
	return append(addresses(texts, address), addresses(programs, requirementAddress)...)
}

// named are all addresses that a request names, besides its indexes.
func (r Request) named(project fs.FS) []string {
	return append(r.required(project), r.treesRequire(project)...)
}

// direct are the files that a request names by their addresses.
func (r Request) direct(project fs.FS) map[string]string {
	named := map[string]string{}
	for _, text := range r.named(project) {
		for _, found := range address.FindAllString(text, -1) {
			named[door.Key(found)] = ""
		}
	}
	for _, w := range slices.Concat(r.Files.Requirements, r.Files.Constraints) {
		named[door.Key(w.URL)] = w.Name
	}
	return named
}

// wants are the parts of a pyproject.toml that tell what is required, which a
// homepage is not, and all of a lock. What can't be read wants nothing: uv will say why.
func wants(project fs.FS, name string) string {
	var file struct {
		Project struct {
			Dependencies any `toml:"dependencies"`
			Optional     any `toml:"optional-dependencies"`
		} `toml:"project"`
		Groups any `toml:"dependency-groups"`
		Build  any `toml:"build-system"`
		Tool   struct {
			UV     any `toml:"uv"`
			PDM    any `toml:"pdm"`
			Poetry struct {
				Dependencies any `toml:"dependencies"`
				Dev          any `toml:"dev-dependencies"`
				Group        any `toml:"group"`
			} `toml:"poetry"`
		} `toml:"tool"`
	}
	data, err := fs.ReadFile(project, name)
	if strings.HasSuffix(name, ".lock") || strings.HasPrefix(path.Base(name), "pylock.") {
		return string(data)
	}
	if err != nil || toml.Unmarshal(data, &file) != nil {
		return ""
	}
	data, _ = toml.Marshal(file) // as it was read
	return string(data)
}

var (
	address            = regexp.MustCompile(`(?:git\+)?(?:https?|ssh)://[^\s"'<>]+`)
	requirementAddress = regexp.MustCompile(`(?m)(?:@[ \t]*|^[ \t]*|git\+)(?:https?|ssh)://[^\s"'<>]+`)
	comment            = regexp.MustCompile(`(?m)(?:^|\s)#.*$`)
)

// addresses are those in texts, each once.
func addresses(texts []string, form *regexp.Regexp) []string {
	var list []string
	for _, text := range texts {
		for _, found := range form.FindAllString(text, -1) {
			list = append(list, cleaned(strings.TrimLeft(found, "@ \t")))
		}
	}
	slices.Sort(list)
	return slices.DeleteFunc(slices.Compact(list), func(a string) bool { return a == "" })
}

// cleaned is an address as it is asked for: of a repository without its commit, and by
// https in the place of ssh; "" for what is no address.
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

// hostOf is the host of an address, with its port if it has one.
func hostOf(address string) string {
	u, err := url.Parse(strings.TrimPrefix(address, "git+"))
	if err != nil || u.Hostname() == "" {
		return ""
	}
	return u.Host
}

// sshAddress finds the addresses of git repositories that are named by ssh. They are fetched
// by https, with the login of their host: no exec has a key, and no engine an agent.
var sshAddress = regexp.MustCompile(`ssh://(?:[^\s@/]+@)?([A-Za-z0-9.-]+)(?::\d+)?/`)

func needsLogin(host string) error {
	err := failure.New(failure.Usage, fmt.Errorf("%s: a repository there has an ssh address, but a lock has no ssh key", host))
	return failure.WithHint(err, fmt.Sprintf("put a login for %s into ~/.netrc to fetch it by https; or write git+https://%s/… if it needs none", host, host))
}

// isSSH says whether git was to go by ssh.
func isSSH(text string) (host string, ok bool) {
	found := sshAddress.FindStringSubmatch(text)
	if found == nil || !strings.Contains(text, "git") {
		return "", false
	}
	return found[1], true
}
