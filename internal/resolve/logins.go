package resolve

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"lamina.build/internal/failure"
	"lamina.build/internal/resolve/userinfo"
	"lamina.build/internal/resolve/uv"
)

// logins returns the logins of all hosts that Python packages come from. A later source
// overrides an earlier one: the file that NETRC names, or ~/.netrc, which pip, git and curl
// read, too; uv's variables for a named index; requirement files, which take logins from
// the environment; addresses in the machine's variables and files. A keyring is asked
// only for logins that none of these has.
func (p Project) logins(ctx context.Context, x indexes) (uv.Logins, error) {
	name := cmp.Or(p.Env("NETRC"), filepath.Join(p.Env("HOME"), ".netrc"))
	if p.Env("NETRC") == "" && !filepath.IsAbs(name) { // without HOME, it would be the project's
		name = os.DevNull
	}
	data, err := os.ReadFile(name) //nolint:gosec // the user names the path
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, failure.New(failure.Usage, fmt.Errorf("reading logins: %w", err))
	}
	logins := uv.ParseNetrc(data).Merge(p.loginsByName(x))
	for _, r := range p.Requirements.Python {
		logins = logins.Merge(r.Files.Logins)
	}
	logins = logins.Merge(x.logins)
	if x.keyring == "subprocess" || x.keyring == "import" {
		logins = logins.Merge(p.keyring(ctx, x, logins))
	}
	return logins.OfHosts(), nil
}

// place returns where the login of an index is valid, as in uv: below the directory of its
// pages, which is next to that of its files. Logins have the same places.
func place(u *url.URL) string {
	below := path.Clean("/" + u.Path)
	if last := strings.ToLower(path.Base(below)); last == "simple" || last == "+simple" {
		below = path.Dir(below)
	}
	return strings.ToLower(u.Host) + strings.TrimSuffix(below, "/")
}

// loginsByName reads UV_INDEX_<NAME>_USERNAME and UV_INDEX_<NAME>_PASSWORD. Of indexes at one
// place, the last by name provides its login, a requirement's after one of the machine.
func (p Project) loginsByName(x indexes) map[string]userinfo.Login {
	logins, of := map[string]userinfo.Login{}, map[string]string{}
	read := func(indexes map[string]string) {
		for _, name := range slices.Sorted(maps.Keys(indexes)) {
			u, err := url.Parse(indexes[name])
			login := p.loginOf(name)
			if name == "" || login == (userinfo.Login{}) || err != nil || u.Host == "" {
				continue
			}
			at := place(u)
			if other, ok := logins[at]; ok && other != login {
				p.Note(fmt.Sprintf("indexes %q and %q at %s have different logins: both get that of %q", of[at], name, at, name))
			}
			logins[at], of[at] = login, name
		}
	}
	read(x.names)
	for _, r := range p.Requirements.Python {
		read(r.IndexNames())
	}
	return logins
}

// loginOf returns the login that uv's variables have for an index.
func (p Project) loginOf(name string) userinfo.Login {
	prefix := "UV_INDEX_" + strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' {
			return r - 'a' + 'A'
		}
		if r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, name)
	return userinfo.Login{User: p.Env(prefix + "_USERNAME"), Password: p.Env(prefix + "_PASSWORD")}
}

// keyringTime is the timeout of a keyring.
const keyringTime = 30 * time.Second

// keyring asks the keyring program for the logins of indexes that have no password, as
// pip and uv do: by the address of the index, then by its host.
func (p Project) keyring(ctx context.Context, x indexes, known uv.Logins) map[string]userinfo.Login {
	addresses := append([]string{x.Default}, x.Further...)
	for _, r := range p.Requirements.Python {
		addresses = append(addresses, r.Named()...)
	}
	program := ""
	for _, dir := range filepath.SplitList(p.Env("PATH")) {
		if program == "" && filepath.IsAbs(dir) && isFile(filepath.Join(dir, "keyring")) {
			program = filepath.Join(dir, "keyring")
		}
	}
	if program == "" {
		p.Note("no keyring program found on PATH to provide logins for indexes")
		return nil
	}
	found, asked := map[string]userinfo.Login{}, []string{}
	for _, address := range addresses {
		u, err := url.Parse(address)
		if err != nil || u.Host == "" || u.Host[0] == '-' || address == uv.DefaultIndex {
			continue
		}
		user, password, _ := known.For(u)
		for _, q := range []struct{ service, place string }{{address, place(u)}, {u.Host, u.Host}} {
			if password != "" || slices.Contains(asked, q.service) {
				break
			}
			asked = append(asked, q.service)
			login, ok := ask(ctx, program, q.service, user)
			if ok {
				found[q.place] = login
				break
			}
		}
	}
	return found
}

// ask asks a keyring for a login, or for the password of a given user. The program's
// output goes nowhere else.
func ask(ctx context.Context, program, service, user string) (login userinfo.Login, ok bool) {
	ctx, cancel := context.WithTimeout(ctx, keyringTime)
	defer cancel()
	args := []string{"get", service, user}
	if user == "" {
		args = []string{"--mode", "creds", "get", service}
	}
	cmd := exec.CommandContext(ctx, program, args...) //nolint:gosec // the user's keyring
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	password := strings.TrimRight(string(out), "\r\n")
	if user == "" {
		user, password, _ = strings.Cut(password, "\n")
		user = strings.TrimRight(user, "\r")
	}
	return userinfo.Login{User: user, Password: password}, err == nil && password != ""
}
