package secrets

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"lamina.build/internal/test/e2etest"
	"lamina.build/internal/test/testworld"
)

// One password for each server that requires one. Those in addresses are quoted there.
const (
	ofAddress  = "a@" + e2etest.Secret + "/%ü"
	ofNetrc    = e2etest.Secret + "-netrc"
	ofRegistry = e2etest.Secret + "-registry"
	ofHub      = "hf_" + e2etest.Secret
	ofProxy    = e2etest.Secret + "-proxy"
)

// proxy starts a proxy that requires a password.
func proxy(t *testing.T) (address string, passed *atomic.Int64) {
	t.Helper()
	passed = &atomic.Int64{}
	on := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.Out.Header.Del("Proxy-Authorization") }}
	want := "Basic " + base64.StdEncoding.EncodeToString([]byte("me:"+ofProxy))
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Proxy-Authorization") != want {
			rw.WriteHeader(http.StatusProxyAuthRequired)
			return
		}
		passed.Add(1)
		on.ServeHTTP(rw, r)
	}))
	t.Cleanup(server.Close)
	return strings.Replace(server.URL, "://", "://me:"+ofProxy+"@", 1), passed
}

// Logins of each kind reach the servers that require them, and are nowhere afterwards: in no
// lock, graph, output, cache, metadata or image, and in nothing that the engine has written,
// for which see [e2etest.Main].
func TestRealSecrets(t *testing.T) {
	u := e2etest.NewUser(t)
	u.Cache = t.TempDir()
	w := testworld.NewAt(t, testworld.Away(t)+":0")
	stamp := "# " + time.Now().String() // nothing fetches what the engine already has
	x := w.Index(testworld.IndexOptions{User: "me", Password: ofAddress}, testworld.Wheel{Name: "alpha", Files: map[string]string{"alpha.py": stamp}})
	other := testworld.NewAt(t, "127.0.0.3:0").Index(testworld.IndexOptions{User: "me", Password: ofNetrc}, testworld.Wheel{Name: "beta", Files: map[string]string{"beta.py": stamp}})
	h := w.Hub(testworld.HubOptions{Token: ofHub})
	h.Repo("org/tiny", testworld.HubRepoOptions{Private: true}).Commit(map[string]testworld.HubFile{"tiny.bin": testworld.Large(testworld.Generated(uint64(time.Now().UnixNano()), 100_000))})
	r := testworld.NewRegistry(t, testworld.RegistryOptions{User: "me", Password: ofRegistry, Tokens: true})
	through, passed := proxy(t)

	files := t.TempDir()
	netrc := filepath.Join(files, "netrc")
	e2etest.Write(t, netrc, []byte("machine 127.0.0.3 login me password "+ofNetrc+"\n"))
	login := base64.StdEncoding.EncodeToString([]byte("me:" + ofRegistry))
	e2etest.Write(t, filepath.Join(files, "auth.json"), []byte(`{"auths": {"`+r.Host+`/acme": {"auth": "`+login+`"}}}`))
	u.Env = []string{
		"NETRC=" + netrc, "INDEX_PASSWORD=" + url.QueryEscape(ofAddress), "HF_TOKEN=" + ofHub, "HF_ENDPOINT=" + h.Endpoint,
		"REGISTRY_AUTH_FILE=" + filepath.Join(files, "auth.json"), "DOCKER_CONFIG=" + t.TempDir(), "HTTP_PROXY=" + through, "http_proxy=" + through,
		"NO_PROXY=", "no_proxy=",
	}
	dir := e2etest.PythonProject(t, `[python]
requirements = ["requirements.txt"]
[[model]]
from = "hf://org/tiny@main"
path = "/models/tiny"
[smoke]
imports = ["alpha", "beta"]
`, map[string]string{"requirements.txt": "--index-url " + strings.Replace(x.URL, "://", "://me:${INDEX_PASSWORD}@", 1) + "\n--extra-index-url " + other.URL + "\nalpha\nbeta\n"})

	image := r.Host + "/acme/app:1"
	outputs := []string{"-o", "type=oci", "-o", "type=image,push=true,name=" + image, "--cache-to", "type=registry,ref=" + r.Host + "/acme/cache"}
	said := map[string]e2etest.Result{}
	for _, args := range [][]string{
		{"lock", dir},
		append([]string{dir, "--progress", "plain", "--metadata-file", "meta.json", "--iidfile", "iid"}, outputs...),
		append([]string{dir, "--progress", "rawjson", "--smoke", "off", "--cache-from", r.Host + "/acme/cache"}, outputs[:4]...),
		{"model", "push", r.Host + "/acme/model:1", "--spec", dir, "--progress", "plain"},
		{"model", "ls", "--spec", dir},
		{dir, "--print=json"},
		{dir, "--print=tree"},
		{dir, "--print=layers"},
		{"lock", "--upgrade", dir},
	} {
		said[strings.Join(args, " ")] = u.Build(t, args...)
	}
	if passed.Load() == 0 || x.Files.Credentials("/**") == 0 || r.Manifest("acme/app", "1") == nil {
		t.Errorf("%d requests went through the proxy", passed.Load())
	}
	// Each login is wrong in turn: the errors contain none, either.
	right := u.Env
	for _, tt := range []struct {
		wrong string
		args  []string
	}{
		{"INDEX_PASSWORD=wrong" + e2etest.Secret, []string{"lock", "--upgrade", dir}}, // the longest: each of these resolves again
		{"HF_TOKEN=hf_wrong" + e2etest.Secret, []string{"lock", "--upgrade", dir}},
		{"HTTP_PROXY=" + strings.Replace(through, "me:", "you:", 1), []string{"lock", "--upgrade", dir}},
		{"LAMINA_DEBIAN_MIRROR=" + strings.Replace(w.URL, "://", "://me:"+e2etest.Secret+"@", 1) + "/debian", []string{"lock", "--upgrade", dir}},
		{"REGISTRY_AUTH_FILE=/dev/null", append([]string{dir}, outputs[2:4]...)},
	} {
		u.Env = slices.Concat(right, []string{tt.wrong})
		result := u.Run(t, tt.args...)
		if result.Code == 0 {
			t.Errorf("with %s nothing failed", tt.wrong)
		}
		said[tt.wrong] = result
	}
	for what, result := range said {
		e2etest.NoSecret(t, what, result.Stdout)
		e2etest.NoSecret(t, what, result.Stderr)
	}
	e2etest.NoSecrets(t, dir, u.Dir, u.Cache)
}
