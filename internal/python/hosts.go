package python

import (
	"io/fs"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"lamina.build/lock"
)

// Only returns the logins of some hosts: an engine asks for no others.
func (l Logins) Only(hosts []string) Logins {
	some := Logins{}
	for _, host := range hosts {
		if login, ok := l.of(host); ok {
			some[key(host)] = login
		}
	}
	return some
}

// Hosts are those that the distributions of a lock come from.
func Hosts(list []lock.Distribution) []string {
	hosts := make([]string, len(list))
	for i, d := range list {
		hosts[i] = hostOf(d.URL)
	}
	return hosts
}

// hosts are those of a set: uv may have kept the page that names its files, so that
// it doesn't pass the door.
func (v versions) hosts(set string) []string {
	return slices.DeleteFunc(Hosts(v.set(set)), func(host string) bool { return host == "" })
}

// hosts are those that a request names beside its indexes: of direct addresses,
// of git repositories, and whatever its lock, project or trees name.
func (r Request) hosts(project fs.FS) []string {
	var hosts []string
	for _, w := range slices.Concat(r.Files.Requirements, r.Files.Constraints) {
		if host := hostOf(w.URL); host != "" {
			hosts = append(hosts, host)
		}
	}
	for _, text := range r.named(project) {
		hosts = append(hosts, namedIn(text)...)
	}
	return hosts
}

// named are the texts that may name files and repositories by their addresses,
// beside the requirement files.
func (r Request) named(project fs.FS) []string {
	texts := slices.Clone(r.Overrides)
	for _, lines := range r.BuildRequires {
		texts = append(texts, lines...)
	}
	files := slices.DeleteFunc(slices.Clone(r.ProjectFiles), func(name string) bool {
		return !strings.HasSuffix(name, ".toml") && !strings.HasSuffix(name, ".lock")
	})
	for _, dir := range r.Sources {
		for _, name := range []string{"pyproject.toml", "setup.py", "setup.cfg", "requirements.txt"} {
			files = append(files, path.Join(dir, name))
		}
	}
	for _, name := range files {
		if data, err := fs.ReadFile(project, name); err == nil {
			texts = append(texts, string(data))
		}
	}
	return texts
}

var address = regexp.MustCompile(`(?:https?|ssh)://[^\s"'<>]+`)

// namedIn are the hosts of all addresses in a text.
func namedIn(text string) []string {
	seen := map[string]bool{}
	var hosts []string
	for _, a := range address.FindAllString(text, -1) {
		if host := hostOf(a); host != "" && !seen[host] {
			seen[host] = true
			hosts = append(hosts, host)
		}
	}
	return hosts
}

// hostOf is the host of an address, with its port, or that of its scheme.
func hostOf(address string) string {
	u, err := url.Parse(strings.TrimPrefix(address, "git+"))
	if err != nil || u.Hostname() == "" {
		return ""
	}
	return u.Host
}
