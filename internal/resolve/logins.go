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
	if x.keyring != "subprocess" && x.keyring != "import" {
		return logins, nil
	}
	return logins.Merge(p.keyring(ctx, x, logins)), nil
}

// loginsByName reads UV_INDEX_<NAME>_USERNAME and UV_INDEX_<NAME>_PASSWORD. A host has one
// login, as in a .netrc: of its indexes, the last by name provides it, a requirement's
// after one of the machine.
func (p Project) loginsByName(x indexes) map[string]userinfo.Login {
	logins, of := map[string]userinfo.Login{}, map[string]string{}
	read := func(indexes map[string]string) {
		for _, name := range slices.Sorted(maps.Keys(indexes)) {
			u, err := url.Parse(indexes[name])
			login := p.loginOf(name)
			if name == "" || login == (userinfo.Login{}) || err != nil || u.Host == "" {
				continue
			}
			host := strings.ToLower(u.Hostname())
			if other, ok := logins[host]; ok && other != login {
				p.Note(fmt.Sprintf("indexes %q and %q at %s have different logins: both get that of %q", of[host], name, host, name))
			}
			logins[host], of[host] = login, name
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
		if err != nil || u.Host == "" || u.Host[0] == '-' || address == uv.DefaultIndex || slices.Contains(asked, u.Host) {
			continue
		}
		asked = append(asked, u.Host)
		user, password, _ := known.For(u.Host)
		if password != "" {
			continue
		}
		for _, service := range []string{address, u.Host} {
			if login, ok := ask(ctx, program, service, user); ok {
				found[u.Host] = login
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
