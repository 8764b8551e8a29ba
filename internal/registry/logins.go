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

// Logins are the registry logins of this machine's user: those of docker and podman, and
// those in credential helpers. It is an [authn.Keychain].
type Logins struct {
	files    []*configfile.ConfigFile // the first that has a login counts
	problems []error                  // files that can't be read

	mu    sync.Mutex // serializes calls of helpers
	known map[string]known
}

// known is a cached login. Helpers return tokens that expire: those of Google after five
// minutes.
type known struct {
	types.AuthConfig

	at time.Time
}

const knownFor = 4 * time.Minute

// LoadLogins reads the files in which docker and podman keep logins: first those that
// environment variables name, then those of the home directory, which may be "".
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
		// If no file has logins, docker keeps them in the system's store.
		l.files = append(l.files, &configfile.ConfigFile{CredentialsStore: credentials.DetectDefaultStore("")})
	}
	return l
}

// podmanFiles returns where podman keeps logins, as of containers-auth.json(5).
func podmanFiles(env func(string) string, home string) []string {
	var directories []string
	if dir := env("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) {
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

// ConfigDir returns where a user's programs keep their configuration, or "". A relative
// directory, which would be in a project, is ignored.
func ConfigDir(env func(name string) string, home string) string {
	switch dir := env("XDG_CONFIG_HOME"); {
	case filepath.IsAbs(dir):
		return dir
	case home == "":
		return ""
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

// Find returns the login for a repository of a host, or for the whole host if repository
// is empty; the zero value if there is none. A file that can't be read and a helper that
// can't be run are errors of the kind [failure.Usage].
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
				return login, failure.New(failure.Usage, fmt.Errorf("finding the login for %q: %w", host, err))
			}
			if holds(login) {
				l.known[keys[0]] = known{login, time.Now()}
				return login, nil
			}
		}
	}
	return types.AuthConfig{}, failure.New(failure.Usage, errors.Join(l.problems...))
}

// hubKey is docker's key for Docker Hub, since ever.
const hubKey = "https://index.docker.io/v1/"

// keysOf returns the keys that a login may have: podman's for a part of a registry, longest
// first, then the host, then the addresses that older versions of docker wrote.
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

// isHub reports whether host is Docker Hub, by any of its names.
func isHub(host string) bool {
	return host == "docker.io" || host == "index.docker.io" || host == "registry-1.docker.io"
}

// lookUp returns one file's login for a key. The store for all registries is asked only
// for hosts, which are all that docker puts into it.
func lookUp(f *configfile.ConfigFile, host, key string) (types.AuthConfig, error) {
	helper := f.CredentialHelpers[key]
	if helper == "" && (key == host && !isHub(host) || key == hubKey) {
		helper = f.CredentialsStore
	}
	if helper != "" {
		// An empty file: its logins are read below.
		login, err := credentials.NewNativeStore(&configfile.ConfigFile{}, helper).Get(key)
		if err != nil || holds(login) {
			return login, err
		}
	}
	return f.AuthConfigs[key], nil
}

// holds distinguishes a login from the empty entry that docker leaves next to a helper.
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
