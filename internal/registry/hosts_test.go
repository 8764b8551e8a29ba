package registry_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lamina.build/internal/failure"
	"lamina.build/internal/registry"
	"lamina.build/internal/test/testworld"
)

// Each layout of certs.d is read: docker's files, containerd's hosts.toml; the first directory
// with a configuration counts, and _default if there is none.
func TestHostsOf(t *testing.T) {
	t.Parallel()
	first, second := t.TempDir(), t.TempDir()
	put(t, first+"/docker.test:5000/ca.crt", "")
	put(t, first+"/docker.test:5000/client.cert", "")
	put(t, first+"/docker.test:5000/client.key", "")
	put(t, first+"/docker.test:5000/both.cert", "")
	put(t, first+"/docker.test:5000/README", "")
	if err := os.Mkdir(first+"/empty.test", 0o700); err != nil {
		t.Fatal(err)
	}
	put(t, second+"/empty.test/ca.crt", "")
	put(t, second+"/README", "")
	put(t, second+"/docker.test:5000/other.crt", "")
	put(t, second+"/_default/hosts.toml", "skip_verify = true\n[host.'https://mirror.test/v2/proxy']\noverride_path = true\n")
	put(t, second+"/plain.test_5000_/hosts.toml", "server = 'http://plain.test:5000'\n")
	put(t, second+"/docker.io/hosts.toml", "server = 'https://registry-1.docker.io'\nca = 'hub.crt'\n")
	put(t, second+"/full.test/hosts.toml", `
server = "https://elsewhere.test"
ca = ["server.crt"]
[host."https://full.test"]
  capabilities = ["pull", "resolve", "push"]
  ca = "/own.crt"
  client = [["a.cert", "a.key"], "both.pem"]
  [host."https://full.test".header]
    x = "y"
[host."http://first.test:5000"]
[host."https://blind.test"]
  capabilities = ["pull"]
[host."second.test"]
  skip_verify = true
  client = "one.pem"
`)
	hosts := registry.Hosts{first, second, filepath.Join(first, "none")}
	pair := func(certificate, key string) []registry.KeyPair {
		return []registry.KeyPair{{Certificate: certificate, Key: key}}
	}
	mirror := []registry.Host{{Name: "mirror.test/proxy"}}
	for name, want := range map[string]registry.Host{
		"docker.test:5000": {CAs: []string{first + "/docker.test:5000/ca.crt"}, KeyPairs: slices.Concat(
			pair(first+"/docker.test:5000/both.cert", first+"/docker.test:5000/both.cert"), pair(first+"/docker.test:5000/client.cert", first+"/docker.test:5000/client.key"),
		)},
		"empty.test":      {CAs: []string{second + "/empty.test/ca.crt"}},
		"plain.test:5000": {Plain: true},
		"index.docker.io": {Name: "docker.io", CAs: []string{second + "/docker.io/hub.crt"}},
		"any.test":        {SkipVerify: true, Mirrors: mirror},
		"..":              {SkipVerify: true, Mirrors: mirror},
		"full.test": {
			CAs: []string{"/own.crt"}, KeyPairs: slices.Concat(pair(second+"/full.test/a.cert", second+"/full.test/a.key"), pair(second+"/full.test/both.pem", second+"/full.test/both.pem")),
			Mirrors: []registry.Host{
				{Name: "first.test:5000", Plain: true},
				{Name: "second.test", SkipVerify: true, KeyPairs: pair(second+"/full.test/one.pem", second+"/full.test/one.pem")},
				{Name: "elsewhere.test", CAs: []string{second + "/full.test/server.crt"}},
			},
		},
	} {
		if want.Name == "" {
			want.Name = name
		}
		got, err := hosts.Of(name)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", name, err, diff)
		}
	}
	if got, want := strings.Join(hosts.Names(), " "), "docker.test:5000 empty.test docker.io full.test plain.test:5000"; got != want {
		t.Errorf("got the names %s, want %s", got, want)
	}
	if got, err := hosts[:1].Of("any.test"); err != nil || !cmp.Equal(got, registry.Host{Name: "any.test"}) {
		t.Errorf("of an unknown host: %+v, %v", got, err)
	}
}

// All problems of a hosts.toml are reported with their positions.
func TestProblemsOfHosts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	put(t, dir+"/r.test/hosts.toml", "server = 1\nca = 2\nclient = [3, ['a', 4]]\n[host.'https://']\nskip_verify = 'yes'\ncapabilities = 'pull'\n")
	_, err := registry.Hosts{dir}.Of("r.test")
	checkKind(t, err, failure.Usage, "")
	for _, want := range []string{
		`reading the configuration of registry "r.test"`, "hosts.toml:1:10: server is", "hosts.toml:2:6: ca is", "hosts.toml:3:11: client[0] is", "hosts.toml:3:20: client[1] is",
		`hosts.toml:4:1: "https://" is not the address`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// A registry with its own authority that requires client certificates works with the files
// of certs.d, in each of its layouts, for all requests.
func TestMutualTLS(t *testing.T) {
	t.Parallel()
	r := testworld.NewRegistry(t, testworld.RegistryOptions{User: "ann", Password: "secret", Tokens: true})
	address, authority, certificate, key := testworld.ServeMutualTLS(t, "127.0.0.1:0", r.Handler())
	host := strings.TrimPrefix(address, "https://")
	for layout, write := range map[string]func(dir string){
		"docker": func(dir string) {
			put(t, dir+"/ca.crt", string(authority))
			put(t, dir+"/client.cert", string(certificate))
			put(t, dir+"/client.key", string(key))
		},
		"containerd": func(dir string) {
			put(t, dir+"/tls/both.pem", string(certificate)+string(key))
			put(t, dir+"/tls/ca.pem", string(authority))
			put(t, dir+"/hosts.toml", "server = '"+address+"'\n[host.'"+address+"']\nca = 'tls/ca.pem'\nclient = ['tls/both.pem']\n")
		},
		"unverified": func(dir string) {
			put(t, dir+"/both.pem", string(certificate)+string(key))
			put(t, dir+"/hosts.toml", "skip_verify = true\nclient = [['both.pem', 'both.pem']]\n")
		},
		"nobody we trust": func(dir string) {
			put(t, dir+"/both.pem", string(certificate)+string(key))
			put(t, dir+"/hosts.toml", "client = [['both.pem', 'both.pem']]\n")
		},
		"nobody it knows": func(dir string) { put(t, dir+"/ca.crt", string(authority)) },
		"no certificate":  func(dir string) { put(t, dir+"/ca.crt", "") },
		"no key": func(dir string) {
			put(t, dir+"/ca.crt", string(authority))
			put(t, dir+"/client.cert", string(certificate))
		},
	} {
		t.Run(layout, func(t *testing.T) {
			t.Parallel()
			directory := t.TempDir()
			write(filepath.Join(directory, host))
			opts := hasty()
			opts.Keychain, opts.Hosts = keychain{"ann", "secret"}, registry.Hosts{directory}
			opts.HTTP.Stall, opts.HTTP.MaxRetryWait = 0, 0 // TLS takes its time on a busy machine
			repo, err := registry.Open(t.Context(), host+"/acme/model", opts)
			switch layout {
			case "nobody we trust":
				checkKind(t, err, failure.Usage, "certs.d")
			case "nobody it knows":
				checkKind(t, err, failure.Usage, "client")
			case "no certificate":
				checkKind(t, err, failure.Usage, "")
				checkSays(t, err, "ca.crt", "contains no certificate")
			case "no key":
				checkKind(t, err, failure.Usage, "")
				checkSays(t, err, "client.cert")
			default:
				if err == nil {
					_, err = repo.PutBlob(t.Context(), []byte("weights"))
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func checkSays(t *testing.T, err error, words ...string) {
	t.Helper()
	for _, word := range words {
		if err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("got %v, want %q", err, word)
		}
	}
}

// A registry whose directory says plain HTTP may use it, but not the hosts that it redirects to.
func TestPlainHTTPByItsDirectory(t *testing.T) {
	t.Parallel()
	r := testworld.NewRegistry(t, testworld.RegistryOptions{})
	directory := t.TempDir()
	put(t, directory+"/vm.test:5501/hosts.toml", "server = 'http://vm.test:5501'\n")
	opts := hasty()
	opts.Hosts = registry.Hosts{directory}
	opts.HTTP.Transport = dialing(map[string]string{"vm.test:5501": r.Host, "vm.test:5502": r.Host})
	if _, err := registry.Open(t.Context(), "vm.test:5501/a", opts); err != nil {
		t.Error(err)
	}
	_, err := registry.Open(t.Context(), "vm.test:5502/a", opts)
	checkKind(t, err, failure.Usage, "--insecure-registry")
}
