package wheels

import (
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lamina.build/internal/test/e2etest"
	"lamina.build/internal/test/testworld"
)

const password = e2etest.Secret + "-of-the-index"

// A private index is used with a login that is nowhere afterwards: not in the lock, the graph,
// the output, the image or anything that is kept.
func TestRealLoginsStaySecret(t *testing.T) {
	t.Parallel()
	for name, give := range map[string]func(t *testing.T, u *e2etest.User, x *testworld.Index) string{
		"netrc": func(t *testing.T, u *e2etest.User, x *testworld.Index) string {
			netrc := filepath.Join(t.TempDir(), "netrc")
			e2etest.Write(t, netrc, []byte("machine 127.0.0.1 login me password "+password+"\n"))
			u.Env = []string{"NETRC=" + netrc}
			return x.URL
		},
		"variable": func(_ *testing.T, u *e2etest.User, x *testworld.Index) string {
			u.Env = []string{"NETRC=/dev/null", "INDEX_TOKEN=" + password}
			return strings.Replace(x.URL, "://", "://me:${INDEX_TOKEN}@", 1)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := e2etest.NewUser(t)
			u.Cache = t.TempDir()
			w := testworld.New(t)
			x := w.Index(testworld.IndexOptions{User: "me", Password: password, RedirectFiles: name == "netrc"}, testworld.Backend(),
				testworld.Wheel{Name: "private", Version: "1.0", Files: map[string]string{"private.py": "# " + time.Now().String()}})
			tree := w.Git("tree", map[string]string{
				"pyproject.toml": "[build-system]\nrequires = [\"worldbackend\"]\nbuild-backend = \"worldbackend\"\n", "PKG-INFO": "Metadata-Version: 2.1\nName: tree\nVersion: 1.0\n",
				"tree.py": "# " + time.Now().String(),
			})
			w.Protect("git", "me", password)
			dir := e2etest.Needs(t, "--index-url "+give(t, u, x), "private", "tree @ git+"+tree.URL+"@"+tree.Commit)
			r := u.Build(t, dir, "--progress", "plain")
			u.Build(t, dir, "-o", "type=local,dest=files")
			graph := u.Build(t, dir, "--print=json")
			for _, text := range []string{r.Stdout, r.Stderr, graph.Stdout, graph.Stderr} {
				e2etest.NoSecret(t, "what was printed", text)
			}
			if !strings.Contains(strings.Join(e2etest.Site(t, u), " "), "private.py") {
				t.Error("the image has no private.py")
			}
			if n := x.Files.Credentials("/simple-files/**"); name == "netrc" && n != 0 {
				t.Errorf("the password reached the host of a redirect %d times", n)
			}
			e2etest.NoSecrets(t, dir, u.Dir, u.Cache)
			u.Env = []string{"NETRC=/dev/null"}
			// Nothing is resolved or fetched: no login is needed.
			u.Build(t, "lock", "--check", dir)
			u.Build(t, dir)
			if name == "netrc" {
				u.Fails(t, 2, []string{"answers 401", "it requires a login, but none was sent", "hint: put a login for 127.0.0.1 into ~/.netrc"}, "lock", "--upgrade", dir)
			} else {
				u.Fails(t, 2, []string{"INDEX_TOKEN"}, "lock", dir)
			}
		})
	}
}

// A host that only a page names gets only its own login, over https.
func TestRealLoginOfAHostThatNobodyNames(t *testing.T) {
	t.Parallel()
	u, w := e2etest.NewUser(t), testworld.New(t)
	w.Index(testworld.IndexOptions{User: "me", Password: password}, testworld.Wheel{Name: "private"})
	to, err := url.Parse(w.URL)
	if err != nil {
		t.Fatal(err)
	}
	elsewhere, authority := testworld.ServeTLS(t, "127.0.0.5:0", httputil.NewSingleHostReverseProxy(to))
	w.Put("links.html", []byte(`<a href="`+elsewhere+`/simple-files/private-1.0-py3-none-any.whl">private</a>`))
	dir := e2etest.Needs(t, "--no-index", "--find-links "+w.URL+"/links.html", "private")
	netrc := filepath.Join(t.TempDir(), "netrc")
	u.Env = []string{"NETRC=" + netrc, "SSL_CERT_FILE=" + testworld.TrustAlso(t, authority)}
	e2etest.Write(t, netrc, []byte("machine 127.0.0.1 login me password wrong\n"))
	u.Fails(t, 2, []string{"hint: put a login for 127.0.0.5 into ~/.netrc"}, "lock", dir)
	e2etest.Write(t, netrc, []byte("machine 127.0.0.5 login me password "+password+"\n"))
	u.Build(t, "lock", dir)
}
