package resolve

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"lamina.build/internal/failure"
	"lamina.build/internal/fetch"
	"lamina.build/internal/resolve/userinfo"
	"lamina.build/internal/resolve/uv"
	"lamina.build/lock"
)

// indexes are the indexes of packages for which nothing else names one.
type indexes struct {
	uv.Indexes

	chosen  bool                      // the user names the default one
	logins  map[string]userinfo.Login // in their addresses
	names   map[string]string         // addresses by uv's index names
	keyring string                    // provider of further logins
	told    string                    // the indexes, as messages list them
}

// indexes returns the indexes for packages for which neither the spec nor a requirement file
// names one: from the flag, Lamina's own variable, the variables of uv and pip, then their
// files, so that a machine with a mirror needs no further configuration.
func (p Project) indexes() (indexes, error) {
	x := indexes{Indexes: uv.Indexes{Default: uv.DefaultIndex}, logins: map[string]userinfo.Login{}, names: map[string]string{}}
	files, err := p.settings()
	if err != nil {
		return x, err
	}
	x.keyring = cmp.Or(p.Env("UV_KEYRING_PROVIDER"), p.Env("PIP_KEYRING_PROVIDER"))
	type index struct{ name, value string }
	defaults := []index{
		{flagName, p.PythonIndex},
		{"LAMINA_PYTHON_INDEX", p.Env("LAMINA_PYTHON_INDEX")},
		{"UV_DEFAULT_INDEX", p.Env("UV_DEFAULT_INDEX")},
		{"PIP_INDEX_URL", p.Env("PIP_INDEX_URL")},
	}
	further := []index{{"UV_INDEX", p.Env("UV_INDEX")}, {"PIP_EXTRA_INDEX_URL", p.Env("PIP_EXTRA_INDEX_URL")}}
	for i, f := range files {
		x.keyring = cmp.Or(x.keyring, f.keyring)
		for name, address := range f.names {
			x.names[name] = cmp.Or(x.names[name], address)
		}
		defaults = append(defaults, index{f.file, f.index})
		if isPip := i == len(files)-1; !isPip || further[1].value == "" { // pip's variable overrides its file
			further = append(further, index{f.file, strings.Join(f.further, " ")})
		}
	}
	for i, d := range defaults {
		if d.value == "" {
			continue
		}
		address, err := x.read(d.name, d.value, i > 1)
		if err != nil {
			return x, err
		}
		x.chosen, x.Default, x.told = true, address, fmt.Sprintf(", from %s (%s)", address, d.name)
		break
	}
	if cmp.Or(defaults[0].value, defaults[1].value) != "" {
		return x, nil // an index named to Lamina is the only one
	}
	for _, f := range further {
		for word := range strings.FieldsSeq(f.value) {
			address, err := x.read(f.name, word, true)
			if err != nil {
				return x, err
			}
			if slices.Contains(x.Further, address) {
				continue
			}
			x.Further = append(x.Further, address)
			x.told += fmt.Sprintf(", %s (%s)", address, f.name)
		}
	}
	return x, nil
}

// flagName is the name of [Project.PythonIndex] in messages.
const flagName = "--python-index"

// CheckIndex checks the address of an index that is named to Lamina itself; "" names none.
func CheckIndex(address string) error {
	if address == "" {
		return nil
	}
	_, err := new(indexes).read(flagName, address, false)
	return err
}

// read parses the address of an index. It removes a login from another tool's variable,
// since locks name the files that an index serves, and the name that uv allows before it.
func (x *indexes) read(name, address string, mayLogIn bool) (string, error) {
	if label, rest, named := strings.Cut(address, "="); named && mayLogIn && !strings.Contains(label, "/") {
		address = rest
		x.name(label, rest)
	}
	shown := address // without a possible login
	if at := strings.LastIndex(address, "@"); at >= 0 {
		shown = "…" + address[at:]
	}
	bare, login, isLogin := userinfo.Split(address)
	u, err := url.Parse(bare)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return "", failure.New(failure.Usage, fmt.Errorf("%s: index %q is not a URL that starts with https:// or http://", name, shown))
	case isLogin && !mayLogIn:
		err := failure.New(failure.Usage, fmt.Errorf("%s: index %q holds a login", name, shown))
		return "", failure.WithHint(err, "put it into ~/.netrc")
	case isLogin:
		x.logins[place(u)] = login
	}
	return strings.TrimRight(u.String(), "/"), nil
}

// name records the address of an index by its name.
func (x *indexes) name(name, address string) {
	if x.names != nil {
		x.names[name] = address
	}
}

// unset lists the logins whose variables are not set. Only a download needs them.
func (p Project) unset() (list []userinfo.Unset) {
	for _, r := range p.Requirements.Python {
		list = append(list, r.Files.Unset...)
	}
	return list
}

// Access is how a build gets the Python packages of a lock.
type Access struct {
	Logins uv.Logins        // for their hosts
	Unset  []userinfo.Unset // the logins that are missing
	Mirror uv.Mirror        // the files that the index named by the user has
	Lock   lock.Lock        // the lock, with confirmed addresses only

	// Strange has, by sha256, the files on the mirror whose locked address is of an
	// unnamed host: they must not be fetched from that host.
	Strange map[string]bool
}

// Access asks the index that the user names for the files of a lock. Without one, they come
// from their locked addresses. It confirms files whose index nobody names, or whose server
// only the lock attributes to an index.
func (p Project) Access(ctx context.Context, l lock.Lock) (a Access, err error) {
	a.Unset = p.unset()
	x, err := p.indexes()
	if err != nil {
		return a, err
	}
	if a.Logins, err = p.logins(ctx, x); err != nil {
		return a, err
	}
	doubts := uv.Doubtful(p.Requirements.Python, l, x.Indexes)
	if p.Vendored != nil { // naming a directory of vendored files means trusting it like an index
		doubts = slices.DeleteFunc(doubts, func(d uv.Doubt) bool { return p.Vendored(d.Distribution) })
	}
	if x.chosen && !p.Offline {
		if err = p.mirrored(ctx, &a, x, l); err != nil {
			return a, err
		}
		a.Strange = map[string]bool{}
		doubts = slices.DeleteFunc(doubts, func(d uv.Doubt) bool {
			a.Strange[d.SHA256] = a.Mirror.Has[d.SHA256] != ""
			return a.Strange[d.SHA256]
		})
	}
	found, err := p.witness(a.Logins).Confirm(ctx, doubts)
	named := append([]string{x.Default}, x.Further...)
	for _, r := range p.Requirements.Python {
		named = append(named, r.Named()...)
	}
	a.Lock = uv.Believed(l, found, named)
	return a, err
}

// Confirm checks the doubtful files of a lock that doesn't drift against their indexes.
func (p Project) Confirm(ctx context.Context, l lock.Lock) error {
	x, err := p.indexes()
	if err != nil {
		return err
	}
	doubts := uv.Doubtful(p.Requirements.Python, l, x.Indexes)
	if len(doubts) == 0 {
		return nil // and no need for logins
	}
	logins, err := p.logins(ctx, x)
	if err != nil {
		return err
	}
	_, err = p.witness(logins).Confirm(ctx, doubts)
	return err
}

// mirrored finds the files of a lock on the index that the user names.
func (p Project) mirrored(ctx context.Context, a *Access, x indexes, l lock.Lock) error {
	a.Mirror = uv.Mirror{
		Client: fetch.New(fetch.Options{Logins: a.Logins.For}), Index: x.Default, Dir: filepath.Join(p.CacheDir, "mirrors"), Note: p.Note,
	}
	for _, r := range p.Requirements.Python {
		a.Mirror.Named = append(a.Mirror.Named, r.Named()...)
	}
	return a.Mirror.Find(ctx, l)
}

func (p Project) witness(logins uv.Logins) uv.Witness {
	return uv.Witness{Client: fetch.New(fetch.Options{Logins: logins.For}), Dir: filepath.Join(p.CacheDir, "named")}
}
