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

// indexes are those for what nothing else names one for.
type indexes struct {
	uv.Indexes

	chosen  bool                      // the default one is named by the user
	logins  map[string]userinfo.Login // of their addresses
	names   map[string]string         // addresses by the names that uv knows
	keyring string                    // what asks for further logins
	told    string                    // which these are, as people are told
}

// indexes says which indexes serve what neither the spec nor a requirement file names
// one for: the flag, Lamina's own variable, then the variables of uv and of pip, then their
// files, so that a machine that has a mirror needs no second word for it.
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
		if isPip := i == len(files)-1; !isPip || further[1].value == "" { // which takes the place of its file's
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
		return x, nil // who names an index to Lamina means that one
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

// flagName is what messages call the address of [Project.PythonIndex].
const flagName = "--python-index"

// CheckIndex finds what is wrong with the address of an index that is named to Lamina
// itself; "" names none.
func CheckIndex(address string) error {
	if address == "" {
		return nil
	}
	_, err := new(indexes).read(flagName, address, false)
	return err
}

// read refuses an address that is none. A login in a variable of another tool is taken
// out of it, since locks name the files that an index serves, and so is the name that
// uv lets one write before it.
func (x *indexes) read(name, address string, mayLogIn bool) (string, error) {
	if label, rest, named := strings.Cut(address, "="); named && mayLogIn && !strings.Contains(label, "/") {
		address = rest
		x.name(label, rest)
	}
	shown := address // without what may be a login
	if at := strings.LastIndex(address, "@"); at >= 0 {
		shown = "…" + address[at:]
	}
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return "", failure.New(failure.Usage, fmt.Errorf("%s: index %q is not a URL that starts with https:// or http://", name, shown))
	case u.User != nil && !mayLogIn:
		err := failure.New(failure.Usage, fmt.Errorf("%s: index %q holds a login", name, shown))
		return "", failure.WithHint(err, "put it into ~/.netrc")
	case u.User != nil:
		password, _ := u.User.Password()
		x.logins[u.Host] = userinfo.Login{User: u.User.Username(), Password: password}
		u.User = nil
	}
	return strings.TrimRight(u.String(), "/"), nil
}

// name keeps the address of an index by its name.
func (x *indexes) name(name, address string) {
	if x.names != nil {
		x.names[name] = address
	}
}

// unset are the logins whose variables are not set: who has all wheels already needs none.
func (p Project) unset() (list []userinfo.Unset) {
	for _, r := range p.Requirements.Python {
		list = append(list, r.Files.Unset...)
	}
	return list
}

// Access is how a build gets at the Python packages of a lock.
type Access struct {
	Logins uv.Logins        // of the hosts that they come from
	Unset  []userinfo.Unset // the logins that nobody knows
	Mirror uv.Mirror        // what the index that the user names has of them
	Lock   lock.Lock        // the lock, with addresses that somebody vouches for

	// Strange are the files that the mirror has and that the lock has from where nobody is
	// named, by sha256: from there they may not come.
	Strange map[string]bool
}

// Access asks the index that the user names for Python packages where it has the files
// of a lock. Where nobody names one, they come from where they were locked. What the lock
// has from an index that nobody names, or from a server that an index is said to name, is
// asked for.
func (p Project) Access(ctx context.Context, l lock.Lock) (a Access, err error) {
	a.Unset = p.unset()
	x, err := p.indexes()
	if err != nil {
		return a, err
	}
	if a.Logins, err = p.logins(ctx, x); err != nil {
		return a, err
	}
	doubts := uv.Doubtful(p.Requirements.Python, l, x.Indexes, p.Root)
	if p.Vendored != nil { // who names a directory trusts it as an index that has them
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
		named = append(named, r.Named(p.Root)...)
	}
	a.Lock = uv.Believed(l, found, named)
	return a, err
}

// Confirm asks indexes whether a lock that doesn't drift has what they have, where that
// has to be asked.
func (p Project) Confirm(ctx context.Context, l lock.Lock) error {
	x, err := p.indexes()
	if err != nil {
		return err
	}
	doubts := uv.Doubtful(p.Requirements.Python, l, x.Indexes, p.Root)
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

// mirrored finds what the index that the user names has of a lock.
func (p Project) mirrored(ctx context.Context, a *Access, x indexes, l lock.Lock) error {
	a.Mirror = uv.Mirror{
		Client: fetch.New(fetch.Options{Logins: a.Logins.For}), Index: x.Default, Dir: filepath.Join(p.CacheDir, "mirrors"), Note: p.Note,
	}
	for _, r := range p.Requirements.Python {
		a.Mirror.Named = append(a.Mirror.Named, r.Named(p.Root)...)
	}
	return a.Mirror.Find(ctx, l)
}

func (p Project) witness(logins uv.Logins) uv.Witness {
	return uv.Witness{Client: fetch.New(fetch.Options{Logins: logins.For}), Dir: filepath.Join(p.CacheDir, "named")}
}
