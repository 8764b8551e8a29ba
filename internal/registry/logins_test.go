package registry_test

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/docker/cli/cli/config/types"
	"github.com/google/go-containerregistry/pkg/name"

	"lamina.build/internal/failure"
	"lamina.build/internal/registry"
	"lamina.build/internal/test/testworld"
)

// put writes a file, and creates its directories.
func put(t *testing.T, file, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	return file
}

// auths returns a file of logins, user:password by name.
func auths(logins ...string) string {
	var entries []string
	for i := 0; i < len(logins); i += 2 {
		entries = append(entries, `"`+logins[i]+`": {"auth": "`+base64.StdEncoding.EncodeToString([]byte(logins[i+1]))+`"}`)
	}
	return `{"auths": {` + strings.Join(entries, ", ") + `}}`
}

func userOf(t *testing.T, l *registry.Logins, host, repository string) string {
	t.Helper()
	found, err := l.Find(host, repository)
	if err != nil {
		t.Fatalf("%s/%s: %v", host, repository, err)
	}
	return found.Username
}

// Each file where docker and podman keep logins is read; a named one has precedence.
func TestLoginsByFile(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	put(t, filepath.Join(home, ".docker/config.json"), auths("r.test", "docker:x", "only.docker", "docker:x"))
	put(t, filepath.Join(home, "run/containers/auth.json"), auths("r.test", "runtime:x", "only.runtime", "runtime:x"))
	put(t, filepath.Join(home, ".config/containers/auth.json"), auths("r.test", "config:x", "only.config", "config:x"))
	named := put(t, filepath.Join(home, "named.json"), auths("r.test", "named:x"))
	put(t, filepath.Join(home, "other/config.json"), auths("r.test", "other:x"))
	for _, tt := range []struct {
		env  map[string]string
		want map[string]string
	}{
		{nil, map[string]string{"r.test": "docker", "only.docker": "docker", "only.runtime": "", "only.config": "config", "none.test": ""}},
		{map[string]string{"XDG_RUNTIME_DIR": home + "/run"}, map[string]string{"r.test": "docker", "only.runtime": "runtime", "only.config": "config"}},
		{map[string]string{"REGISTRY_AUTH_FILE": named}, map[string]string{"r.test": "named", "only.docker": "docker", "only.config": ""}},
		{map[string]string{"DOCKER_CONFIG": home + "/other"}, map[string]string{"r.test": "other", "only.docker": "", "only.config": "config"}},
		{map[string]string{"DOCKER_CONFIG": home + "/other", "DOCKER_AUTH_CONFIG": auths("r.test", "variable:x")}, map[string]string{"r.test": "variable"}},
	} {
		l := registry.LoadLogins(func(name string) string { return tt.env[name] }, home)
		for host, want := range tt.want {
			if got := userOf(t, l, host, "acme/app"); got != want {
				t.Errorf("%v: %s: got %q, want %q", tt.env, host, got, want)
			}
		}
	}
}

// If a user has no directory for logins, no file in the working directory replaces it.
func TestLoginsAreNotThoseOfTheWorkingDirectory(t *testing.T) {
	t.Chdir(t.TempDir())
	put(t, "containers/auth.json", auths("r.test", "planted:x"))
	for _, dir := range []string{"", "."} {
		env := func(name string) string {
			return map[string]string{"XDG_RUNTIME_DIR": dir, "XDG_CONFIG_HOME": dir}[name]
		}
		l := registry.LoadLogins(env, "")
		if got := userOf(t, l, "r.test", "acme/app"); got != "" || registry.ConfigDir(env, "") != "" {
			t.Errorf("with directory %q, got %q", dir, got)
		}
	}
}

// fileOf loads logins from one file.
func fileOf(t *testing.T, text string) *registry.Logins {
	t.Helper()
	file := put(t, filepath.Join(t.TempDir(), "auth.json"), text)
	return registry.LoadLogins(func(name string) string { return map[string]string{"REGISTRY_AUTH_FILE": file}[name] }, "")
}

// Podman's logins may be for a part of a registry, and aren't used for other parts.
func TestLoginsOfAPartOfARegistry(t *testing.T) {
	t.Parallel()
	l := fileOf(t, auths(
		"r.test/acme", "acme:x", "r.test/acme/app", "app:x", "docker.io/acme", "hubacme:x", "https://index.docker.io/v1/", "hub:x", "https://old.test/v1/", "old:x",
	))
	for place, want := range map[string]string{
		"r.test/acme/app": "app", "r.test/acme/app/x": "app", "r.test/acme/other": "acme", "r.test/acmeother": "", "r.test/": "",
		"docker.io/acme/app": "hubacme", "index.docker.io/library/x": "hub", "registry-1.docker.io/": "hub", "old.test/a": "old",
	} {
		host, repository, _ := strings.Cut(place, "/")
		if got := userOf(t, l, host, repository); got != want {
			t.Errorf("%s: got %q, want %q", place, got, want)
		}
	}
}

// helper puts a credential helper on the PATH. It answers with the content of files next to it.
func helper(t *testing.T, program string, logins map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for host, answer := range logins {
		put(t, filepath.Join(dir, "of", strings.NewReplacer("/", "_", ":", "_").Replace(host)), answer)
	}
	put(t, filepath.Join(dir, "docker-credential-"+program), `#!/bin/sh
read host
echo "$1 $host" >>`+dir+`/asked
cat "`+dir+`/of/$(echo "$host" | tr /: __)" 2>/dev/null || { echo "credentials not found in native keychain"; exit 1; }
`)
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	return filepath.Join(dir, "asked")
}

// Credential helpers are used: one for each registry, or the store for all.
func TestCredentialHelpers(t *testing.T) {
	asked := helper(t, "test", map[string]string{
		"store.test":                  `{"ServerURL": "store.test", "Username": "ann", "Secret": "secret"}`,
		"token.test":                  `{"ServerURL": "token.test", "Username": "<token>", "Secret": "identity"}`,
		"https://index.docker.io/v1/": `{"ServerURL": "", "Username": "hub", "Secret": "secret"}`,
	})
	l := fileOf(t, `{"credsStore": "test", "auths": {"store.test": {}, "file.test": {"auth": "YjpjCg=="}}}`)
	for host, want := range map[string]types.AuthConfig{
		"store.test": {Username: "ann", Password: "secret"}, "token.test": {IdentityToken: "identity"}, "docker.io": {Username: "hub", Password: "secret"},
		"none.test": {}, "file.test": {Username: "b", Password: "c\n"},
	} {
		for range 2 {
			got, err := l.Find(host, "acme/app")
			if got.ServerAddress = ""; err != nil || got != want {
				t.Errorf("%s: got %+v, %v, want %+v", host, got, err, want)
			}
		}
	}
	text, err := os.ReadFile(asked)
	if err != nil || strings.Count(string(text), "store.test") != 1 || strings.Contains(string(text), "acme") {
		t.Errorf("the store was asked for\n%s%v", text, err)
	}
	l = fileOf(t, `{"credHelpers": {"store.test": "test", "broken.test": "nowhere"}}`)
	if got := userOf(t, l, "store.test", "a"); got != "ann" {
		t.Errorf("the helper of one registry returned %q", got)
	}
	if got := userOf(t, l, "token.test", "a"); got != "" {
		t.Errorf("it was asked for another: %q", got)
	}
	_, err = l.Find("broken.test", "a")
	checkKind(t, err, failure.Usage, "")
	if !strings.Contains(err.Error(), `finding the login for "broken.test"`) || !strings.Contains(err.Error(), "docker-credential-nowhere") {
		t.Errorf("got %v", err)
	}
}

// If a file can't be read and there is no login, the error names the file.
func TestLoginsThatCannotBeRead(t *testing.T) {
	t.Parallel()
	l := fileOf(t, `{"auths": {"r.test": {"auth": "!"}}}`)
	_, err := l.Find("r.test", "")
	checkKind(t, err, failure.Usage, "")
	if !strings.Contains(err.Error(), "auth.json") {
		t.Errorf("got %v", err)
	}
}

// Logins open a repository, whether a password or an identity token.
func TestOpenWithLogins(t *testing.T) {
	t.Parallel()
	for _, o := range []testworld.RegistryOptions{
		{User: "ann", Password: "secret"}, {User: "ann", Password: "secret", Tokens: true}, {User: "ann", Password: "secret", Tokens: true, Identity: "identity"},
	} {
		r := testworld.NewRegistry(t, o)
		opts := hasty()
		opts.Keychain = fileOf(t, auths(r.Host+"/acme", "ann:secret"))
		if o.Identity != "" {
			opts.Keychain = fileOf(t, `{"auths": {"`+r.Host+`": {"identitytoken": "identity"}}}`)
		}
		_, err := open(t, r, opts).Start(t.Context())
		if err != nil {
			t.Errorf("%+v: %v", o, err)
		}
		opts.Keychain = fileOf(t, auths(r.Host+"/other", "ann:secret"))
		repo, err := registry.Open(t.Context(), r.Host+"/acme/model", opts)
		if err == nil {
			_, err = repo.Start(t.Context())
		}
		checkKind(t, err, failure.Usage, "docker login")
	}
}

func TestLoginsAreAKeychain(t *testing.T) {
	t.Parallel()
	l := fileOf(t, auths("r.test", "host:x", "r.test/acme", "acme:x"))
	for text, want := range map[string]string{"r.test/acme/app": "acme", "r.test/b": "host"} {
		repo, err := name.NewRepository(text)
		if err != nil {
			t.Fatal(err)
		}
		login, err := l.Resolve(repo)
		if err != nil {
			t.Fatal(err)
		}
		if c, err := login.Authorization(); err != nil || c.Username != want {
			t.Errorf("%s: got %+v, %v", text, c, err)
		}
	}
	host, err := name.NewRegistry("r.test")
	if err != nil {
		t.Fatal(err)
	}
	login, err := l.Resolve(host)
	if err != nil {
		t.Fatal(err)
	}
	if c, err := login.Authorization(); err != nil || c.Username != "host" {
		t.Errorf("of the host came %+v, %v", c, err)
	}
}
