package faults

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"lamina.build/internal/test/e2etest"
	"lamina.build/internal/test/testworld"
)

// spy is a build backend that looks for ways out and for secrets. It fails with what it
// finds.
const spy = `
import os, socket, urllib.request

found = []
WORDS = ("s3" + "cret", "aaa_of" + "_another", "hidden" + "_weights")

def tries(what, do):
    try:
        do()
    except Exception:
        return
    found.append(what)

def finds(what, texts):
    if any(word in text for text in texts for word in WORDS):
        found.append(what)

def files():
    for top in ("/root", "/home", "/run", "/var/cache", "/var/lib", "/tmp", "/etc", "/.lamina", "/mnt"):
        for directory, _, names in os.walk(top):
            for name in names:
                path = os.path.join(directory, name)
                yield path
                try:
                    if os.path.isfile(path) and os.path.getsize(path) < 1 << 20:
                        yield open(path, errors="replace").read()
                except OSError:
                    pass

def get_requires_for_build_wheel(settings=None):
    straight = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    tries("the listener", lambda: socket.create_connection(("127.0.0.1", PORT), 3))
    tries("the metadata address", lambda: socket.create_connection(("169.254.169.254", 80), 3))
    tries("the network", lambda: socket.create_connection(("1.1.1.1", 443), 3))
    tries("DNS", lambda: socket.getaddrinfo("pypi.org", 443))
    tries("the listener by the door", lambda: urllib.request.urlopen("http://127.0.0.1:PORT/", timeout=5).read())
    tries("the metadata address by the door", lambda: urllib.request.urlopen("http://169.254.169.254/latest/", timeout=5).read())
    tries("a host by the door", lambda: urllib.request.urlopen("https://example.com/", timeout=5).read())
    tries("posting by the door", lambda: urllib.request.urlopen("INDEX/beta/", data=b"x", timeout=5).read())
    finds("a secret in the environment", list(os.environ.values()))
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            finds("a secret of process " + pid, [open(f"/proc/{pid}/environ", errors="replace").read()])
        except OSError:
            pass
    finds("a secret in a file", files())
    if os.path.exists("/run/secrets") and os.listdir("/run/secrets"):
        found.append("/run/secrets")
    raise SystemExit("the spy found: " + (", ".join(found) or "nothing"))

build_wheel = prepare_metadata_for_build_wheel = get_requires_for_build_wheel
`

// Code of an sdist that runs in a resolve reaches only the indexes, and finds no login, no
// other file of the project, and nothing of other projects.
func TestRealResolveIsSealed(t *testing.T) {
	t.Parallel()
	u := e2etest.NewUser(t)
	reached := 0
	listener := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached++ }))
	defer listener.Close()
	_, port, err := net.SplitHostPort(listener.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	w := testworld.New(t)
	index := w.URL + "/simple"
	backend := strings.NewReplacer("PORT", port, "INDEX", index).Replace(spy)
	x := w.Index(testworld.IndexOptions{User: "me", Password: "s3cret"}, testworld.Backend(), testworld.Wheel{Name: "beta"}, testworld.Wheel{Name: "aaa_of_another"},
		testworld.Sdist{Name: "spy", Files: map[string]string{
			"pyproject.toml": "[build-system]\nrequires = []\nbuild-backend = \"backend\"\nbackend-path = [\".\"]\n", "backend.py": backend,
		}})
	netrc := t.TempDir() + "/netrc"
	e2etest.Write(t, netrc, []byte("machine 127.0.0.1 login me password s3cret\n"))
	u.Env = []string{"NETRC=" + netrc, "TOKEN_OF_MINE=s3cret", "AWS_SECRET_ACCESS_KEY=s3cret"}
	u.Build(t, "lock", e2etest.Needs(t, "--index-url "+x.URL, "aaa_of_another"))
	dir := e2etest.Needs(t, "--index-url "+x.URL, "spy")
	e2etest.Write(t, dir+"/hidden_weights.bin", []byte("hidden_weights"))
	e2etest.Write(t, dir+"/.env", []byte("PASSWORD=s3cret"))
	u.Fails(t, 2, []string{
		"requirements.txt:2: python: ", "the spy found: nothing",
		"the resolve asked for 127.0.0.1:" + port + ", which none of its indexes or requirements names", "the resolve asked for 169.254.169.254:80",
	}, "lock", dir)
	if reached > 0 {
		t.Errorf("the listener was reached %d times", reached)
	}
	r := u.Run(t, "lock", dir)
	if strings.Contains(r.Stdout+r.Stderr, "s3cret") {
		t.Error("the password was printed")
	}
}

// Code of an sdist can read uv's cache of its own project, and none of another project.
func TestRealCacheOfAnotherProject(t *testing.T) {
	t.Parallel()
	u, w := e2etest.NewUser(t), testworld.New(t)
	const backend = `
import os

def get_requires_for_build_wheel(settings=None):
    files = [os.path.join(d, name) for d, _, names in os.walk("/var/cache/uv") for name in names]
    found = any("aaa_of_" + "another" in open(file, errors="replace").read() for file in files)
    raise SystemExit(f"the cache has it: {found}")

build_wheel = prepare_metadata_for_build_wheel = get_requires_for_build_wheel
`
	x := w.Index(testworld.IndexOptions{}, testworld.Wheel{Name: "aaa_of_another"}, testworld.Sdist{Name: "reader", Files: map[string]string{
		"pyproject.toml": "[build-system]\nrequires = []\nbuild-backend = \"backend\"\nbackend-path = [\".\"]\n", "backend.py": backend,
	}})
	own := e2etest.Needs(t, "--index-url "+x.URL, "aaa_of_another")
	u.Build(t, "lock", own)
	e2etest.Write(t, own+"/requirements.txt", fmt.Appendf(nil, "--index-url %s\nreader\n", x.URL))
	u.Fails(t, 2, []string{"the cache has it: True"}, "lock", own)
	u.Fails(t, 2, []string{"the cache has it: False"}, "lock", e2etest.Needs(t, "--index-url "+x.URL, "reader"))
}

// A login is sent only to the host that it is for: if an index redirects elsewhere, the
// other host doesn't get it.
func TestRealLoginsDoNotFollow(t *testing.T) {
	t.Parallel()
	u, other := e2etest.NewUser(t), testworld.NewAt(t, "127.0.0.2:0")
	x := other.Index(testworld.IndexOptions{}, testworld.Wheel{Name: "beta"})
	redirect := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if _, password, _ := r.BasicAuth(); password != "s3cret" {
			rw.WriteHeader(http.StatusUnauthorized)
			return
		}
		http.Redirect(rw, r, other.URL+r.URL.Path, http.StatusFound)
	}))
	redirect.Start()
	defer redirect.Close()
	netrc := t.TempDir() + "/netrc"
	e2etest.Write(t, netrc, []byte("machine 127.0.0.1 login me password s3cret\n"))
	u.Env = []string{"NETRC=" + netrc}
	dir := e2etest.Needs(t, fmt.Sprintf("--index-url %s/simple", redirect.URL), "beta")
	u.Build(t, "lock", dir)
	if d := e2etest.Find(t, e2etest.ReadLock(t, dir), "beta"); d.URL != x.FileURL(d.File) || d.Index != redirect.URL+"/simple" {
		t.Errorf("locked as %+v", d)
	}
	if n := other.Credentials("/**"); n > 0 {
		t.Errorf("the other host got the login %d times", n)
	}
}
