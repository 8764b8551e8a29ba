package python

import (
	"io/fs"
	"net/url"
	"regexp"
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

// hosts are those that a request names beside its indexes: of direct addresses,
// of git repositories, and whatever its lock or project names.
func (r Request) hosts(project fs.FS) []string {
	var hosts []string
	for _, w := range append(r.Files.Requirements, r.Files.Constraints...) {
		if host := hostOf(w.URL); host != "" {
			hosts = append(hosts, host)
		}
	}
	for _, line := range r.Overrides {
		hosts = append(hosts, namedIn(line)...)
	}
	for _, lines := range r.BuildRequires {
		hosts = append(hosts, namedIn(strings.Join(lines, "\n"))...)
	}
	for _, name := range r.ProjectFiles {
		if strings.HasSuffix(name, ".toml") || strings.HasSuffix(name, ".lock") {
			data, err := fs.ReadFile(project, name)
			if err == nil {
				hosts = append(hosts, namedIn(string(data))...)
			}
		}
	}
	return hosts
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
