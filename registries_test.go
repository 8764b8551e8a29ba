package lamina

import (
	"encoding/base64"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containerd/platforms"
	"github.com/moby/buildkit/client"
	bkllb "github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/session"

	"lamina.build/cache"
	"lamina.build/internal/engine"
	"lamina.build/internal/registry"
	"lamina.build/internal/test/enginetest"
	"lamina.build/internal/test/testworld"
	"lamina.build/internal/weights"
	"lamina.build/lock"
	"lamina.build/output"
)

// writeAll writes files below a directory.
func writeAll(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// Our own engine reaches registries as we do: by certs.d, by --insecure-registry and with
// podman's logins, for pushes, caches and the images that it reads by itself.
func TestEnginesReachRegistries(t *testing.T) {
	o := enginetest.Options(t)
	for _, tt := range []struct {
		name     string
		insecure bool
		serve    func(t *testing.T, h http.Handler) (host string, certs map[string]string)
	}{
		{"certificates", false, func(t *testing.T, h http.Handler) (string, map[string]string) {
			t.Helper()
			address, authority, certificate, key := testworld.ServeMutualTLS(t, "127.0.0.1:0", h)
			return strings.TrimPrefix(address, "https://"), map[string]string{"ca.crt": string(authority), "x.cert": string(certificate), "x.key": string(key)}
		}},
		{"self-signed", true, func(t *testing.T, h http.Handler) (string, map[string]string) {
			t.Helper()
			address, _ := testworld.ServeTLS(t, testworld.Away(t)+":0", h)
			return strings.TrimPrefix(address, "https://"), nil
		}},
		{"plain", true, func(t *testing.T, h http.Handler) (string, map[string]string) {
			t.Helper()
			return servePlain(t, h), nil
		}},
		{"plain by its directory", false, func(t *testing.T, h http.Handler) (string, map[string]string) {
			t.Helper()
			host := servePlain(t, h)
			return host, map[string]string{"hosts.toml": "server = 'http://" + host + "'\n"}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := testworld.NewRegistry(t, testworld.RegistryOptions{User: "ann", Password: "secret", Tokens: tt.name != "plain by its directory"})
			host, certs := tt.serve(t, r.Handler())
			home := t.TempDir()
			for name, text := range certs {
				writeAll(t, home, map[string]string{".config/containers/certs.d/" + host + "/" + name: text})
			}
			login := base64.StdEncoding.EncodeToString([]byte("ann:secret"))
			writeAll(t, home, map[string]string{".config/containers/auth.json": `{"auths": {"` + host + `/acme": {"auth": "` + login + `"}}}`})
			h, err := newHost(Options{CacheDir: t.TempDir(), Insecure: tt.insecure, Env: func(name string) string { return map[string]string{"HOME": home}[name] }})
			if err != nil {
				t.Fatal(err)
			}
			image, stored := host+"/acme/app:1", host+"/acme/cache:1"
			h.registries.use([]string{stored}, []string{image})
			o := o
			o.StateDir, o.Registries = t.TempDir(), h.engineRegistries()
			e, err := engine.Open(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if closed := e.Close(); closed != nil {
					t.Error(closed)
				}
			}()
			attrs := map[string]string{"ref": stored, "mode": "max"}
			export := map[string]string{"name": image, "push": "true"}
			if tt.insecure { // as with --insecure-registry
				attrs["registry.insecure"], export["registry.insecure"] = "true", "true"
			}
			solve := func(state bkllb.State, o client.SolveOpt) {
				t.Helper()
				def, failed := state.Marshal(t.Context(), bkllb.Platform(platforms.MustParse("linux/amd64")))
				if failed != nil {
					t.Fatal(failed)
				}
				o.Session = []session.Attachable{h.logins(tt.insecure)}
				if _, failed = e.Client().Solve(t.Context(), def, o, nil); failed != nil {
					t.Error(failed)
				}
			}
			made := bkllb.Scratch().File(bkllb.Mkfile("/a", 0o644, []byte("a")))
			solve(made, client.SolveOpt{
				Exports:      []client.ExportEntry{{Type: client.ExporterImage, Attrs: export}},
				CacheExports: []client.CacheOptionsEntry{{Type: "registry", Attrs: attrs}},
			})
			solve(made.File(bkllb.Mkfile("/b", 0o644, nil)), client.SolveOpt{CacheImports: []client.CacheOptionsEntry{{Type: "registry", Attrs: attrs}}})
			solve(bkllb.Image(image).File(bkllb.Copy(bkllb.Image(image), "/a", "/c")), client.SolveOpt{})
			// And so do we.
			repo, err := registry.Open(t.Context(), image, h.registry(false))
			if err == nil {
				_, _, err = repo.Manifest(t.Context(), "1")
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// A build names the registries that it uses before an engine is started, a model's as in
// its lock.
func TestRegistriesOfABuild(t *testing.T) {
	dir := t.TempDir()
	writeAll(t, dir, map[string]string{SpecName: "name = \"x\"\n[[model]]\nfrom = \"hf://org/one@main\"\npath = \"/m\"\npublished = \"vm:5501/w\"\n"})
	p, err := Open(dir, Options{CacheDir: t.TempDir(), Insecure: true})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	m := model("hf://org/one@main", "/m", "x.bin")
	m.Published = "vm:5501/w@sha256:" + strings.Repeat("0", 64)
	m.Digest = weights.Digest(m).String()
	p.requirements.Lock = lock.Requirements{Platform: p.requirements.Lock.Platform, ModelRequests: p.requirements.Lock.ModelRequests, Places: p.requirements.Lock.Places}
	l := lock.Lock{Requirements: p.requirements.Lock, Models: []lock.Model{m}}
	err = p.do(t.Context(), Build{Lock: &l, Outputs: []output.Output{{Type: output.Image, Names: []string{"vm:5502/a"}}}}, func(jobs []job) error {
		j := jobs[0]
		moved, read := j.registries.used()
		if strings.Join(moved, " ") != "vm:5502/a" || strings.Join(read, " ") != m.Published || !j.insecure() {
			t.Errorf("moved %q, read %q, %v", moved, read, j.Outputs)
		}
		if told := j.engineRegistries(); len(told) != 1 || told[0].Host != "vm:5501" || !told[0].HTTP || !told[0].Insecure {
			t.Errorf("the engine gets %+v", told)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// Insecure applies to images and caches, too, except those with their own setting.
func TestInsecurely(t *testing.T) {
	remote, err := ParseCache(
		[]string{"vm:5000/app", "type=registry,ref=vm:5000/b,registry.insecure=false", "type=local,src=d"}, []string{"vm:5000/app", "type=inline"},
	)
	if err != nil {
		t.Fatal(err)
	}
	given := Build{Outputs: []output.Output{{Type: output.Image}, {Type: output.OCI}}, Cache: remote}
	b := given.insecurely()
	for i, want := range []string{"true", "false", ""} {
		if e := b.Cache.Imports[i]; e.Attrs["registry.insecure"] != want {
			t.Errorf("import %v, want %q", e, want)
		}
	}
	if b.Cache.Exports[0].Attrs["registry.insecure"] != "true" || b.Cache.Exports[1].Attrs["registry.insecure"] != "" || !b.Outputs[0].Insecure || b.Outputs[1].Insecure {
		t.Errorf("got %v, %v", b.Cache.Exports, b.Outputs)
	}
	if given.Outputs[0].Insecure || given.Cache.Imports[0].Attrs["registry.insecure"] != "" {
		t.Errorf("the given build was changed to %v", given)
	}
}

func servePlain(t *testing.T, h http.Handler) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", testworld.Away(t)+":0")
	if err != nil {
		t.Fatal(err)
	}
	server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: h}}
	server.Start()
	t.Cleanup(server.Close)
	return listener.Addr().String()
}

// An engine gets the machine's configuration of registries, each once.
func TestEngineRegistries(t *testing.T) {
	home := t.TempDir()
	writeAll(t, home, map[string]string{
		".config/containers/certs.d/r.test:5000/ca.crt":    "",
		".config/containerd/certs.d/docker.io/hosts.toml":  "[host.'http://mirror.test:5000/v2/hub']\n[host.'https://r.test:5000']\nskip_verify = true\n",
		".config/containerd/certs.d/again.test/hosts.toml": "[host.'http://mirror.test:5000']\n",
		".config/docker/certs.d/odd.test/hosts.toml":       "server = 1\n",
		".config/docker/certs.d/_default/hosts.toml":       "skip_verify = true\n",
	})
	var said told
	h, err := newHost(Options{CacheDir: home, Insecure: true, Progress: &said, Env: func(name string) string { return map[string]string{"HOME": home}[name] }})
	if err != nil {
		t.Fatal(err)
	}
	h.registries.use(Build{
		Outputs: []output.Output{{Type: output.Image, Names: []string{"vm:5501/a:1", "library/x"}}, {Type: output.OCI, Names: []string{"other.test/a"}}},
		Cache:   cache.Remote{Imports: []cache.Entry{{Type: "registry", Attrs: map[string]string{"ref": "r.test:5000/cache"}}}},
	}.references(), []string{"", "vm:5501/w@sha256:" + strings.Repeat("0", 64)})
	var got []string
	for _, r := range h.engineRegistries() {
		got = append(got, strings.ReplaceAll(strings.TrimSpace(strings.Join([]string{
			r.Host, strings.Join(r.Mirrors, "+"), map[bool]string{true: "http"}[r.HTTP], map[bool]string{true: "insecure"}[r.Insecure], strings.Join(r.CAs, "+"),
		}, " ")), home, "~"))
	}
	want := `again.test mirror.test:5000
docker.io mirror.test:5000/hub+r.test:5000
mirror.test:5000  http
r.test:5000  ~/.config/containers/certs.d/r.test:5000/ca.crt
vm:5501  http insecure`
	if text := strings.Join(got, "\n"); strings.Join(strings.Fields(text), " ") != strings.Join(strings.Fields(want), " ") {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
	if text := strings.Join(said, "\n"); !strings.Contains(text, "odd.test/hosts.toml:1:10: server is an integer") {
		t.Errorf("notes %s", text)
	}
}
