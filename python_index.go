package lamina

import (
	"cmp"
	"fmt"
	"net/url"
	"strings"

	"lamina.build/internal/failure"
	"lamina.build/internal/resolve/requirements"
	"lamina.build/internal/resolve/uv"
)

// indexes are those for what nothing else names one for.
type indexes struct {
	uv.Indexes

	chosen bool                          // the default one is named by the user
	logins map[string]requirements.Login // of their addresses
	from   string                        // which these are, as it is told
}

// pythonIndexes says which indexes serve what neither the spec nor a requirement
// file names one for: the flag, Lamina's own variable, then those of uv and of pip,
// so that a machine that has a mirror needs no second word for it. from tells
// people which it is; what holds a login gives it to logins.
func (h *host) pythonIndexes() (indexes, error) {
	x := indexes{Indexes: uv.Indexes{Default: uv.DefaultIndex}, logins: map[string]requirements.Login{}}
	defaults := []struct{ name, value string }{
		{"--python-index", h.o.PythonIndex},
		{"LAMINA_PYTHON_INDEX", h.env("LAMINA_PYTHON_INDEX")},
		{"UV_DEFAULT_INDEX", h.env("UV_DEFAULT_INDEX")},
		{"PIP_INDEX_URL", h.env("PIP_INDEX_URL")},
	}
	for i, d := range defaults {
		if d.value == "" {
			continue
		}
		address, err := x.readIndex(d.name, d.value, i > 1)
		if err != nil {
			return x, err
		}
		x.chosen, x.Default, x.from = true, address, fmt.Sprintf(", from %s (%s)", address, d.name)
		break
	}
	if cmp.Or(h.o.PythonIndex, h.env("LAMINA_PYTHON_INDEX")) != "" {
		return x, nil // who names an index to Lamina means that one
	}
	for _, name := range []string{"UV_INDEX", "PIP_EXTRA_INDEX_URL"} {
		for word := range strings.FieldsSeq(h.env(name)) {
			address, err := x.readIndex(name, word, true)
			if err != nil {
				return x, err
			}
			x.Further = append(x.Further, address)
			x.from += fmt.Sprintf(", %s (%s)", address, name)
		}
	}
	return x, nil
}

// readIndex refuses an address that is none. A login in a variable of another tool
// is taken out of it, since locks name the files that an index serves, and so is the
// name that uv lets one write before it.
func (x *indexes) readIndex(name, address string, mayLogIn bool) (string, error) {
	if label, rest, named := strings.Cut(address, "="); named && mayLogIn && !strings.Contains(label, "/") {
		address = rest
	}
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return "", failure.New(failure.Usage, fmt.Errorf("%s: index %q is not a URL that starts with https:// or http://", name, redacted(address)))
	case u.User != nil && !mayLogIn:
		err := failure.New(failure.Usage, fmt.Errorf("%s: index %q holds a login", name, redacted(address)))
		return "", failure.WithHint(err, "put it into ~/.netrc")
	case u.User != nil:
		password, _ := u.User.Password()
		x.logins[u.Host] = requirements.Login{User: u.User.Username(), Password: password}
		u.User = nil
	}
	return strings.TrimRight(u.String(), "/"), nil
}

// redacted is an address that may be none, without what may be a login in it.
func redacted(address string) string {
	if at := strings.LastIndex(address, "@"); at >= 0 {
		return "…" + address[at:]
	}
	return address
}
