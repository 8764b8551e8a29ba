package sources

import (
	"fmt"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containerd/platforms"
	"github.com/google/go-cmp/cmp"
	"github.com/moby/buildkit/session"

	"lamina.build/internal/engine"
	"lamina.build/internal/resolve/uv"
	"lamina.build/internal/solve"
	"lamina.build/internal/test/e2etest"
	"lamina.build/internal/test/testworld"
	"lamina.build/llb"
)

// static returns a tree with the world's backend.
func static(name string) map[string]string {
	return map[string]string{
		"pyproject.toml": "[build-system]\nrequires = [\"worldbackend\"]\nbuild-backend = \"worldbackend\"\n",
		"PKG-INFO":       "Metadata-Version: 2.1\nName: " + name + "\nVersion: 1.0\n", name + ".py": "",
	}
}

// Every kind of git reference is locked to a commit.
func TestRealGitIsLockedToCommits(t *testing.T) {
	t.Parallel()
	u, w := e2etest.NewUser(t), testworld.New(t)
	x := w.Index(testworld.IndexOptions{}, testworld.Backend())
	repo := func(name string) *testworld.Git { return w.Git(name, static(name)) }
	branch, tag, short, none, egg, private, pulled := repo("branch"), repo("tag"), repo("short"), repo("none"), repo("egg"), repo("private"), repo("pulled")
	want := map[string]string{"tag": tag.Commit, "short": short.Commit}
	tag.Run("tag", "v1")
	tag.Push(map[string]string{"later.py": ""})
	short.Push(map[string]string{"later.py": ""})
	branch.Run("branch", "dev")
	want["branch"] = branch.Commit
	branch.Push(map[string]string{"later.py": ""})
	want["none"], want["egg"], want["private"] = none.Commit, egg.Commit, private.Commit
	w.Protect("git/private.git", "me", "s3cret")
	// Unmerged, it is on no branch.
	want["pulled"] = pulled.Push(map[string]string{"later.py": ""})
	pulled.Run("update-ref", "refs/pull/1/head", want["pulled"])
	pulled.Run("update-ref", "refs/heads/main", "HEAD~1")

	// A build backend in a submodule.
	inner := w.Git("inner", map[string]string{"inner.py": testworld.Backend().Files["worldbackend.py"]})
	outer := w.Git("outer", map[string]string{
		"pyproject.toml": "[build-system]\nrequires = []\nbuild-backend = \"inner\"\nbackend-path = [\"sub\"]\n",
		"PKG-INFO":       "Metadata-Version: 2.1\nName: outer\nVersion: 1.0\n", "outer.py": "",
	})
	outer.Submodule("sub", inner)
	want["outer"] = outer.Commit

	netrc := t.TempDir() + "/netrc"
	e2etest.Write(t, netrc, []byte("machine 127.0.0.1 login me password s3cret\n"))
	u.Env = []string{"NETRC=" + netrc}
	dir := e2etest.Needs(t, "--index-url "+x.URL,
		"branch @ git+"+branch.URL+"@dev", "tag @ git+"+tag.URL+"@v1", "short @ git+"+short.URL+"@"+short.Run("rev-parse", "--short=10", want["short"]),
		"none @ git+"+none.URL, "-e git+"+egg.URL+"#egg=egg", "private @ git+"+private.URL, "outer @ git+"+outer.URL+"@main", "pulled @ git+"+pulled.URL+"@refs/pull/1/head")
	// Later pushes don't change the lock.
	for _, again := range []string{"locked", "locked again"} {
		u.Build(t, "lock", dir)
		got := map[string]string{}
		for _, d := range e2etest.ReadLock(t, dir).Distributions {
			if _, commit, _, git := d.Git(); git {
				got[d.Name] = commit
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: commits (-want +got):\n%s", again, diff)
		}
		none.Push(map[string]string{"later.py": ""})
		outer.Push(map[string]string{"later.py": ""})
	}
	u.Build(t, dir)

	// A source that was locked with a login isn't built without it.
	private.Push(map[string]string{"later.py": ""})
	dir = e2etest.Needs(t, "--index-url "+x.URL, "private @ git+"+private.URL)
	u.Build(t, "lock", dir)
	u.Env = []string{"NETRC=/dev/null"}
	u.Fails(t, 2, []string{"fetch private", "hint: put a login for 127.0.0.1"}, dir, "--progress", "quiet")
	private.Push(map[string]string{"later.py": "2"})
	u.Fails(t, 2, []string{"requirements.txt:2: python: ", "hint: "}, "lock", e2etest.Needs(t, "--index-url "+x.URL, "private @ git+"+private.URL))
	u.Fails(t, 2, []string{"requirements.txt:2: python: ", "nosuchref"}, "lock", e2etest.Needs(t, "--index-url "+x.URL, "tag @ git+"+tag.URL+"@nosuchref"))
	u.Fails(t, 2, []string{"requirements.txt:1: ", "127.0.0.1: a repository there has an ssh address", "hint: put a login for 127.0.0.1 into ~/.netrc"},
		"lock", e2etest.Needs(t, "tag @ git+ssh://git@127.0.0.1/git/tag.git@v1"))
}

// A version from a tag is the one in the lock and in the image, by PyPI's real tools.
func TestRealVersionsFromTags(t *testing.T) {
	t.Parallel()
	u, w := e2etest.NewUser(t), testworld.New(t)
	lines := []string{}
	for name, files := range map[string]map[string]string{
		"ofscm":   {"pyproject.toml": "[build-system]\nrequires = [\"setuptools>=64\", \"setuptools-scm>=8\"]\nbuild-backend = \"setuptools.build_meta\"\n[project]\nname = \"ofscm\"\ndynamic = [\"version\"]\n[tool.setuptools_scm]\n"},
		"ofhatch": {"pyproject.toml": "[build-system]\nrequires = [\"hatchling\", \"hatch-vcs\"]\nbuild-backend = \"hatchling.build\"\n[project]\nname = \"ofhatch\"\ndynamic = [\"version\"]\n[tool.hatch.version]\nsource = \"vcs\"\n", "ofhatch/__init__.py": ""},
		"ofpbr": {
			"pyproject.toml": "[build-system]\nrequires = [\"setuptools\", \"pbr>=6\"]\nbuild-backend = \"pbr.build\"\n",
			"setup.cfg":      "[metadata]\nname = ofpbr\n[files]\npackages = ofpbr\n", "setup.py": "import setuptools\nsetuptools.setup(setup_requires=['pbr'], pbr=True)\n", "ofpbr/__init__.py": "",
		},
		"ofversioneer": {
			"pyproject.toml": "[build-system]\nrequires = [\"setuptools\", \"versioneer[toml]==0.29\"]\nbuild-backend = \"setuptools.build_meta\"\n" +
				"[tool.versioneer]\nVCS = \"git\"\nstyle = \"pep440\"\nversionfile_source = \"ofversioneer/_version.py\"\nversionfile_build = \"ofversioneer/_version.py\"\ntag_prefix = \"\"\n",
			"setup.py": "import versioneer\nfrom setuptools import setup\nsetup(name='ofversioneer', version=versioneer.get_version(), cmdclass=versioneer.get_cmdclass(), packages=['ofversioneer'])\n", "ofversioneer/__init__.py": "",
		},
	} {
		g := w.Git(name, files)
		g.Run("tag", "-m", "a release", "1.2.3")
		lines = append(lines, fmt.Sprintf("%s @ git+%s@%s", name, g.URL, g.Commit))
		g.Push(map[string]string{"later.txt": ""})
	}
	dir := e2etest.Needs(t, lines...)
	u.Build(t, dir)
	var got []string
	for _, title := range e2etest.Titles(e2etest.ReadLock(t, dir)) {
		if strings.HasPrefix(title, "of") {
			got = append(got, title)
		}
	}
	if diff := cmp.Diff([]string{"ofhatch 1.2.3", "ofpbr 1.2.3", "ofscm 1.2.3", "ofversioneer 1.2.3"}, got); diff != "" {
		t.Errorf("versions (-want +got):\n%s", diff)
	}
	site := strings.Join(e2etest.Site(t, u), "\n")
	for _, title := range got {
		if info := strings.ReplaceAll(title, " ", "-") + ".dist-info/"; !strings.Contains(site, info) {
			t.Errorf("no %s is installed:\n%s", info, site)
		}
	}
}

// Git by ssh uses https if there is a login. It is refused in a submodule, which a build
// fetches without the login.
func TestRealGitBySSH(t *testing.T) {
	t.Parallel()
	u, w, host := e2etest.NewUser(t), testworld.New(t), loopback()
	to, err := url.Parse(w.URL)
	if err != nil {
		t.Fatal(err)
	}
	_, authority := testworld.ServeTLS(t, host+":443", httputil.NewSingleHostReverseProxy(to))
	x := w.Index(testworld.IndexOptions{}, testworld.Backend())
	inner := w.Git("inner", map[string]string{"inner.txt": ""})
	plain, outer, nested := w.Git("plain", static("plain")), w.Git("outer", static("outer")), w.Git("nested", static("nested"))
	named := *inner
	named.URL = "git@" + host + ":git/inner.git"
	outer.Submodule("sub", &named)
	private := *inner
	private.URL = "https://" + host + "/git/inner.git"
	nested.Submodule("sub", &private)
	w.Protect("git", "me", "s3cret")
	netrc := filepath.Join(t.TempDir(), "netrc")
	e2etest.Write(t, netrc, []byte("machine "+host+" login me password s3cret\n"))
	u.Env = []string{"NETRC=" + netrc, "SSL_CERT_FILE=" + testworld.TrustAlso(t, authority)}
	dir := e2etest.Needs(t, "--index-url "+x.URL, "plain @ git+ssh://git@"+host+"/git/plain.git@main")
	u.Build(t, "lock", dir)
	if d := e2etest.Find(t, e2etest.ReadLock(t, dir), "plain"); d.URL != "git+https://"+host+"/git/plain.git@"+plain.Commit {
		t.Errorf("locked as %s", d.URL)
	}
	u.Build(t, "lock", "--check", dir)
	// So do the addresses that uv reads in a pyproject.toml.
	u.Env = append(u.Env, "LAMINA_PYTHON_INDEX="+x.URL)
	known, unknown := u.Env, append([]string{"NETRC=/dev/null"}, u.Env[1:]...)
	const source = "dependencies = [\"plain\"]\n[tool.uv.sources]\nplain = { branch = \"main\", git = "
	for _, text := range []string{
		`dependencies = ["plain @ git+ssh://git@HOST/git/plain.git@main"]`, source + `"ssh://me@HOST:2222/git/plain.git" }`, source + `"https://git@HOST/git/plain.git" }`,
	} {
		dir := e2etest.PythonProject(t, "[python]\nproject = \".\"\n", map[string]string{"pyproject.toml": "[project]\nname = \"svc\"\nversion = \"1\"\n" + strings.ReplaceAll(text, "HOST", host) + "\n"})
		u.Env = unknown
		u.Fails(t, 2, []string{"hint: put a login for " + host + " into ~/.netrc"}, "lock", dir)
		u.Env = known
		u.Build(t, "lock", dir)
		if d := e2etest.Find(t, e2etest.ReadLock(t, dir), "plain"); d.URL != "git+https://"+host+"/git/plain.git@"+plain.Commit {
			t.Errorf("%s: locked as %s", text, d.URL)
		}
		u.Build(t, "lock", "--check", dir)
	}
	// So does the engine of a build, with the build's login.
	e := trusting(t, authority)
	request := solve.ReadRequest{State: llb.Git("https://"+host+"/git/plain.git", plain.Commit), Names: []string{"PKG-INFO"}, Platform: platforms.DefaultSpec()}
	if _, err := solve.Read(t.Context(), e.Client(), request); err == nil || !strings.Contains(err.Error(), "could not read Username for 'https://"+host) {
		t.Errorf("without a login: got %v", err)
	}
	request.Session = []session.Attachable{uv.ParseNetrc([]byte("machine " + host + " login me password s3cret")).Secrets()}
	if got, err := solve.Read(t.Context(), e.Client(), request); err != nil || !strings.Contains(string(got[0]), "Name: plain") {
		t.Errorf("with a login: got %q, %v", got, err)
	}
	// The login is sent only to addresses that are named, not to the submodule's.
	needs := map[string]string{"requirements.txt": "--index-url " + x.URL + "\nnested @ git+https://" + host + "/git/nested.git@main\n", "limits.txt": ""}
	config := "[python]\nrequirements = [\"requirements.txt\"]\nconstraints = [\"limits.txt\"]\n"
	u.Fails(t, 2, []string{"/git/inner.git/info/refs?…: it requires a login, but Lamina sends none to this address", "hint: a login for " + host + " goes to what"},
		"lock", e2etest.PythonProject(t, config, needs))
	needs["limits.txt"] = "inner @ git+https://" + host + "/git/inner.git\n"
	u.Build(t, "lock", e2etest.PythonProject(t, config, needs))
	needs["requirements.txt"] = strings.Replace(needs["requirements.txt"], "nested @ git+https://"+host+"/git/nested", "outer @ git+ssh://git@"+host+"/git/outer", 1)
	u.Fails(t, 2, []string{"requirements.txt:2: python: ", "its submodule at git@" + host + " requires ssh", "hint: .gitmodules"}, "lock", e2etest.PythonProject(t, config, needs))
}

// trusting starts an engine whose git trusts an authority: git uses only the system's list,
// which is replaced.
func trusting(t *testing.T, authority []byte) *engine.Engine {
	t.Helper()
	u, state := e2etest.Alone(t, e2etest.ShortDir(t))
	const start = `mount --bind "$1" /etc/ssl/certs/ca-certificates.crt && exec "$0" engine start`
	cmd := exec.CommandContext(t.Context(), "unshare", "--mount", "--propagation", "private", "sh", "-euc", start, e2etest.Program(t), testworld.TrustAlso(t, authority))
	cmd.Env = append(append(os.Environ(), u.Env...), "XDG_CACHE_HOME="+u.Cache, "BUILDKIT_HOST=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("starting an engine that trusts: %v: %s", err, out)
	}
	s, err := engine.StatusOf(engine.Options{CacheDir: filepath.Dir(state)})
	if err != nil {
		t.Fatal(err)
	}
	e, err := engine.Open(t.Context(), engine.Options{Where: engine.Where{Addrs: []string{s.Address}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return e
}

// loopback returns an address of this machine for this process only: with git by ssh the port
// can't be chosen.
func loopback() string {
	pid := os.Getpid()
	return fmt.Sprintf("127.%d.%d.%d", 1+pid>>16, pid>>8&0xff, pid&0xff)
}
