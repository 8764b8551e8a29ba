package python

import (
	"net/url"
	"strings"

	"lamina.build/lock"
)

// Only returns the logins of some hosts. Whoever builds an sdist runs code of
// its author beside the logins that pip has, so that pip has no others than it
// may need.
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

// hosts are those that the requests name.
func (o Options) hosts() []string {
	hosts := []string{hostOf(o.Index)}
	add := func(addresses ...string) {
		for _, a := range addresses {
			hosts = append(hosts, hostOf(a))
		}
	}
	for _, r := range o.Requests {
		add(r.Files.IndexURL)
		add(r.Files.ExtraIndexURLs...)
		add(r.Files.FindLinks...)
		for _, i := range r.Indexes {
			add(i.URL)
		}
		for _, w := range r.Files.Requirements {
			add(w.URL)
		}
		for host := range r.Files.Logins {
			hosts = append(hosts, host)
		}
	}
	return hosts
}

func hostOf(address string) string {
	u, err := url.Parse(strings.TrimPrefix(address, "git+"))
	if err != nil {
		return ""
	}
	return u.Host
}
