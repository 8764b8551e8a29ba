package registry

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/docker/cli/cli/config"
	"github.com/docker/cli/cli/config/configfile"
	"github.com/docker/cli/cli/config/credentials"
	"github.com/docker/cli/cli/config/types"
	"github.com/google/go-containerregistry/pkg/authn"

	"lamina.build/internal/failure"
)

// Logins are those of this machine's user for registries: docker's, podman's, and those
// that credential helpers keep. It is a [authn.Keychain].
type Logins struct {
	files    []*configfile.ConfigFile // the first one that knows a login counts
	problems []error                  // of files that can't be read

	mu    sync.Mutex // helpers are asked one after the other
	known map[string]known
}

// known is a login that was looked up. Helpers hand out tokens that end: those of Google
// after five minutes.
type known struct {
	types.AuthConfig

	at time.Time
}

const knownFor = 4 * time.Minute

// LoadLogins reads the files where docker and podman keep logins: those that variables
// name come before those of the home directory, which may be "".
func LoadLogins(env func(name string) string, home string) *Logins {
	l := &Logins{known: map[string]known{}}
	if text := env(configfile.DockerEnvConfigKey); text != "" {
		l.add("the variable "+configfile.DockerEnvConfigKey, text)
	}
	docker, podman := env(config.EnvOverrideConfigDir), env("REGISTRY_AUTH_FILE")
	var named, usual []string
	switch {
	case docker != "":
		named = append(named, filepath.Join(docker, config.ConfigFileName))
	case home != "":
		usual = append(usual, filepath.Join(home, ".docker", config.ConfigFileName))
	}
	if podman != "" {
		named = append(named, podman)
	} else {
		usual = append(usual, podmanFiles(env, home)...)
	}
	for _, name := range slices.Concat(named, usual) {
		text, err := os.ReadFile(name) //nolint:gosec // the user's own
		switch {
		case err == nil:
			l.add(strconv.Quote(name), string(text))
		case !errors.Is(err, fs.ErrNotExist):
			l.problems = append(l.problems, fmt.Errorf("reading registry logins: %w", err))
		}
	}
	if home != "" && !slices.ContainsFunc(l.files, (*configfile.ConfigFile).ContainsAuth) {
		// Where nothing is written down, docker keeps logins in the store of the system.
		l.files = append(l.files, &configfile.ConfigFile{CredentialsStore: credentials.DetectDefaultStore("")})
	}
	return l
}

// podmanFiles are where podman keeps logins, as of containers-auth.json(5).
func podmanFiles(env func(string) string, home string) []string {
	var directories []string
	if dir := env("XDG_RUNTIME_DIR"); dir != "" {
		directories = append(directories, filepath.Join(dir, "containers"))
	} else {
		directories = append(directories, filepath.Join("/run/containers", strconv.Itoa(os.Geteuid())))
	}
	if dir := ConfigDir(env, home); dir != "" {
		directories = append(directories, filepath.Join(dir, "containers"))
	}
	for i := range directories {
		directories[i] = filepath.Join(directories[i], "auth.json")
	}
	return directories
}

// ConfigDir is where a user's programs keep their configuration; "" where there is none.
func ConfigDir(env func(name string) string, home string) string {
	if dir := env("XDG_CONFIG_HOME"); dir != "" || home == "" {
		return dir
	}
	return filepath.Join(home, ".config")
}

func (l *Logins) add(name, text string) {
	file, err := config.LoadFromReader(strings.NewReader(text))
	if err != nil {
		l.problems = append(l.problems, fmt.Errorf("reading registry logins: %s: %w", name, err))
		return
	}
	l.files = append(l.files, file)
}

// Find returns the login for a repository of a host, or for the whole of the host where
// repository is empty; the zero value where there is none. That a file can't be read, or a
// helper not be asked, is an error of the kind [failure.Usage].
func (l *Logins) Find(host, repository string) (types.AuthConfig, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	keys := keysOf(host, repository)
	if k, ok := l.known[keys[0]]; ok && time.Since(k.at) < knownFor {
		return k.AuthConfig, nil
	}
	for _, f := range l.files {
		for _, key := range keys {
			login, err := lookUp(f, host, key)
			if err != nil {
				return login, failure.New(failure.Usage, fmt.Errorf("finding the login of %q: %w", host, err))
			}
			if holds(login) {
				l.known[keys[0]] = known{login, time.Now()}
				return login, nil
			}
		}
	}
	return types.AuthConfig{}, failure.New(failure.Usage, errors.Join(l.problems...))
}

// hubKey is what docker has always called Docker Hub.
const hubKey = "https://index.docker.io/v1/"

// keysOf are the names that a login may have: podman's for a part of a registry first, the
// longest before others, then the host, then the addresses of older dockers.
func keysOf(host, repository string) []string {
	addresses := []string{"https://" + host, "https://" + host + "/v1/", "https://" + host + "/v2/", "http://" + host}
	if isHub(host) {
		host, addresses = "docker.io", []string{hubKey, "index.docker.io", "registry-1.docker.io"}
	}
	var keys []string
	for path := repository; path != ""; {
		keys = append(keys, host+"/"+path)
		path = path[:max(0, strings.LastIndexByte(path, '/'))]
	}
	return append(append(keys, host), addresses...)
}

// isHub tells Docker Hub, by any of its names.
func isHub(host string) bool {
	return host == "docker.io" || host == "index.docker.io" || host == "registry-1.docker.io"
}

// lookUp finds what one file knows by a name. The store for all registries is asked for
// hosts alone, which is what docker puts into it.
func lookUp(f *configfile.ConfigFile, host, key string) (types.AuthConfig, error) {
	helper := f.CredentialHelpers[key]
	if helper == "" && (key == host && !isHub(host) || key == hubKey) {
		helper = f.CredentialsStore
	}
	if helper != "" {
		// What the program may not answer with is there already: the file below.
		login, err := credentials.NewNativeStore(&configfile.ConfigFile{}, helper).Get(key)
		if err != nil || holds(login) {
			return login, err
		}
	}
	return f.AuthConfigs[key], nil
}

// holds tells a login from an entry that has none, as docker leaves next to a helper.
func holds(a types.AuthConfig) bool {
	return a.Username != "" || a.Password != "" || a.IdentityToken != "" || a.RegistryToken != ""
}

// Resolve implements [authn.Keychain].
func (l *Logins) Resolve(target authn.Resource) (authn.Authenticator, error) {
	host := target.RegistryStr()
	repository, _ := strings.CutPrefix(target.String(), host+"/")
	if target.String() == host {
		repository = ""
	}
	login, err := l.Find(host, repository)
	if err != nil {
		return nil, err
	}
	if !holds(login) {
		return authn.Anonymous, nil
	}
	return authn.FromConfig(authn.AuthConfig{
		Username: login.Username, Password: login.Password,
		IdentityToken: login.IdentityToken, RegistryToken: login.RegistryToken,
	}), nil
}
