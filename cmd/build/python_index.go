package main

import (
	"cmp"
	"fmt"
	"net/url"
	"strings"

	"lamina.build/internal/fault"
	"lamina.build/internal/python"
	"lamina.build/internal/requirements"
)

// pythonIndexes says which indexes serve what neither the spec nor a requirement
// file names one for: the flag, Lamina's own variable, then those of uv and of pip,
// so that a machine that has a mirror needs no second word for it. from tells
// people which it is; what holds a login gives it to logins.
func (a *app) pythonIndexes(o *lockOptions) error {
	o.logins = map[string]requirements.Login{}
	defaults := []struct{ name, value string }{
		{"--python-index", o.index},
		{"LAMINA_PYTHON_INDEX", a.env("LAMINA_PYTHON_INDEX")},
		{"UV_DEFAULT_INDEX", a.env("UV_DEFAULT_INDEX")},
		{"PIP_INDEX_URL", a.env("PIP_INDEX_URL")},
	}
	o.indexes.Default = python.DefaultIndex
	for i, d := range defaults {
		if d.value == "" {
			continue
		}
		address, err := o.readIndex(d.name, d.value, i > 1)
		if err != nil {
			return err
		}
		o.chosen, o.indexes.Default, o.from = true, address, fmt.Sprintf(", from %s (%s)", address, d.name)
		break
	}
	if cmp.Or(o.index, a.env("LAMINA_PYTHON_INDEX")) != "" {
		return nil // who names an index to Lamina means that one
	}
	for _, name := range []string{"UV_INDEX", "PIP_EXTRA_INDEX_URL"} {
		for word := range strings.FieldsSeq(a.env(name)) {
			address, err := o.readIndex(name, word, true)
			if err != nil {
				return err
			}
			o.indexes.Further = append(o.indexes.Further, address)
			o.from += fmt.Sprintf(", %s (%s)", address, name)
		}
	}
	return nil
}

// readIndex refuses an address that is none. A login in a variable of another tool
// is taken out of it, since locks name the files that an index serves, and so is the
// name that uv lets one write before it.
func (o *lockOptions) readIndex(name, address string, mayLogIn bool) (string, error) {
	if label, rest, named := strings.Cut(address, "="); named && mayLogIn && !strings.Contains(label, "/") {
		address = rest
	}
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return "", fault.New(fault.Usage, fmt.Errorf("%s: index %q is not a URL that starts with https:// or http://", name, redacted(address)))
	case u.User != nil && !mayLogIn:
		err := fault.New(fault.Usage, fmt.Errorf("%s: index %q holds a login", name, redacted(address)))
		return "", fault.WithHint(err, "put it into ~/.netrc")
	case u.User != nil:
		password, _ := u.User.Password()
		o.logins[u.Host] = requirements.Login{User: u.User.Username(), Password: password}
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
