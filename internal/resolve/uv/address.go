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

// required returns the addresses of files and repositories that a request requires, besides
// its indexes.
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

// treesRequire returns the addresses that the source trees of a request require. Others in
// their programs or comments are no requirements.
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

// named returns all addresses in a request, besides its indexes.
func (r Request) named(project fs.FS) []string {
	return append(r.required(project), r.treesRequire(project)...)
}

// direct returns the files that a request names by address, with their projects.
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

// wants returns the parts of a pyproject.toml that have requirements, which excludes the
// homepage, the values of a uv.toml, or a whole lock. A file that can't be read has none: uv will report it.
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
	var into any = &file
	if path.Base(name) == "uv.toml" {
		into = &file.Tool.UV
	}
	if err != nil || toml.Unmarshal(data, into) != nil {
		return ""
	}
	data, _ = toml.Marshal(file) // can't fail, it was just parsed
	return string(data)
}

var (
	address            = regexp.MustCompile(`(?:git\+)?(?:https?|ssh)://[^\s"'<>]+`)
	requirementAddress = regexp.MustCompile(`(?m)(?:@[ \t]*|^[ \t]*|git\+)(?:https?|ssh)://[^\s"'<>]+`)
	comment            = regexp.MustCompile(`(?m)(?:^|\s)#.*$`)
)

// addresses returns the addresses in texts, each once.
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
