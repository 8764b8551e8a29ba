package debian

import (
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"

	"lamina.build/internal/test/e2etest"
	"lamina.build/internal/test/testworld"
	"lamina.build/lock"
)

// debianProject makes a directory with an image.toml and the keys of its repositories.
func debianProject(t *testing.T, toml string, repositories ...*testworld.Debian) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "faceblend")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, r := range repositories {
		key := strings.ReplaceAll(r.Path, "/", "-") + ".asc"
		suite := r.Suite
		if r.Flat {
			suite = "/"
		}
		toml += "[[debian.repository]]\nurl = \"" + r.URL + "\"\nsuite = \"" + suite + "\"\nkey = \"" + key + "\"\n"
		e2etest.Write(t, filepath.Join(dir, key), r.Key)
	}
	e2etest.Write(t, filepath.Join(dir, "image.toml"), []byte("name = \"faceblend\"\n"+toml))
	return dir
}

// needing returns a program that needs a library that doesn't exist.
func needing(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("/bin/true")
	if err != nil || !strings.Contains(string(data), "libc.so.6") {
		t.Skip("/bin/true needs no library here")
	}
	return strings.ReplaceAll(string(data), "libc.so.6", "libq.so.6")
}

// Third-party packages bring all of their files, whatever their names, and the account that
// the app names. A library that a package of Debian's may lack is reported; third-party
// packages may lack none.
func TestRealPackagesOfOthers(t *testing.T) {
	longer(t)
	t.Parallel()
	u, w := e2etest.NewUser(t), testworld.New(t)
	// A cached step prints nothing, so each run has its own package.
	hello := "#!/bin/sh\n# " + time.Now().String() + "\nid -nu\n"
	own := w.Debian(testworld.DebianOptions{Path: "own", Flat: true},
		testworld.Deb{Name: "hello-one", Filename: "a/package.deb", Files: map[string]string{"/usr/bin/hello-one": hello}},
		testworld.Deb{Name: "hello-two", Filename: "b/package.deb", Compression: ".zst", Files: map[string]string{"/usr/bin/hello-two": "#!/bin/sh\n"}},
		testworld.Deb{Name: "nameless", Filename: "files/12345", Files: map[string]string{"/opt/strange/plugin.so": needing(t)}},
		testworld.Deb{Name: "service", Postinst: "#!/bin/sh\nset -e\necho svc:x:123:124::/srv:/bin/sh >>/etc/passwd\necho svc:x:124: >>/etc/group\nmkfifo /opt/fifo\ndate >/opt/made\n"})
	dir := debianProject(t, `[app]
user = "svc"
entrypoint = ["/usr/bin/hello-one"]
[smoke]
run = [["/usr/bin/hello-one"]]
elf-ignore = ["/opt/strange/**"]
[debian]
packages = ["hello-one", "hello-two", "iproute2", "nameless", "service"]
`, own)
	r := u.Build(t, dir, "--progress", "plain")
	if !strings.Contains(r.Stderr, " svc\n") {
		t.Errorf("the app does not print its user:\n%s", e2etest.Tail(r.Stderr))
	}
	for _, r := range []e2etest.Result{r, u.Build(t, dir, "--progress", "quiet")} { // the second from the cache
		for _, text := range []string{
			"\n  libatm.so.1 is needed by /usr/lib/x86_64-linux-gnu/tc/q_atm.so, and nothing that iproute2 depends on has it\n",
			"\n  /opt/made was made while service was installed; it may differ between builds\n",
		} {
			if !strings.Contains(r.Stdout, text) {
				t.Errorf("the summary does not have %q:\n%s", text, r.Stdout)
			}
		}
	}
	l, image := u.Image(t, "production")
	if c := image.Config.Config; c.User != "svc" || !slices.Equal(c.Entrypoint, []string{"/usr/bin/hello-one"}) || c.WorkingDir != "/" {
		t.Errorf("its config is %+v", c)
	}
	files := e2etest.Files(t, l, image)
	for _, path := range []string{"/usr/bin/hello-one", "/usr/bin/hello-two", "/opt/strange/plugin.so", "/opt/fifo", "/usr/share/doc/libgcc-s1", "/usr/share/doc/gcc-12-base/copyright"} {
		if _, ok := files[path]; !ok {
			t.Errorf("there is no %s", path)
		}
	}
	for _, path := range []string{"/usr/bin/apt-get", "/home/svc", "/usr/share/doc/gcc-12-base/README.Debian"} {
		if _, ok := files[path]; ok {
			t.Errorf("there is %s", path)
		}
	}
	e2etest.Edit(t, filepath.Join(dir, "image.toml"), "/opt/strange/**", "/opt/strange/other")
	u.Fails(t, 1, []string{"libq.so.6 is needed by /opt/strange/plugin.so, but no file in the image has that name", `elf-ignore = ["libq.so.6"] under [smoke], which may also name the files that need them`}, dir, "--progress", "plain")
	e2etest.Edit(t, filepath.Join(dir, "image.toml"), `user = "svc"`, `user = "svc:10001"`)
	u.Fails(t, 2, []string{`the account of the app: "svc" is an account of a package, with the numbers 123:124; write user = "svc" under [app]`}, dir, "--progress", "quiet")
}

// A complete distribution replaces Debian's own suites, packed in its own way.
func TestRealDistributionOfOthers(t *testing.T) {
	longer(t)
	t.Parallel()
	u, w := e2etest.NewUser(t), testworld.New(t)
	noble := w.Distribution(testworld.RealMirrors(t), filepath.Join(u.Cache, "lamina", "files"), testworld.DebianOptions{Path: "ubuntu", Suite: "noble"}, "python3", "binutils")
	dir := debianProject(t, "[debian]\nsuites = []\npackages = [\"python3\"]\n[app]\nuser = \"root\"\nentrypoint = [\"/usr/bin/python3\"]\n[smoke]\nimports = [\"json\"]\n[variant.debug]\nextra-packages = []\n", noble)
	u.Build(t, dir)
	l := e2etest.ReadLock(t, dir)
	if len(l.Releases) != 1 || len(l.Suites) != 0 {
		t.Errorf("locked from %+v", l.Releases)
	}
	for _, p := range l.Packages {
		if p.Repository != l.Repositories[0].Name {
			t.Errorf("%s is from %s", p.Name, p.Repository)
		}
	}
	if _, image := u.Image(t, "production"); image.Config.Config.User != "root" {
		t.Errorf("it runs as %q", image.Config.Config.User)
	}
}

// A problem of a repository ends a lock, or a build, with one error and no partial files.
// Once it is fixed, the same directory builds.
func TestRealRepositoriesThatFail(t *testing.T) {
	longer(t)
	t.Parallel()
	u, w := e2etest.NewUser(t), testworld.New(t)
	u.Cache = t.TempDir() // nothing of the package is cached
	ours, theirs := testworld.NewKey(t, testworld.KeyOptions{}), testworld.NewKey(t, testworld.KeyOptions{})
	expired := testworld.NewKey(t, testworld.KeyOptions{Made: time.Now().Add(-72 * time.Hour), Lifetime: 48 * time.Hour})
	options := testworld.DebianOptions{Path: "own", Suite: "own", Signers: []*openpgp.Entity{ours, expired}, Date: time.Now().Add(-60 * time.Hour)}
	hello := testworld.Deb{Name: "lamina-hello", Files: map[string]string{"/usr/bin/hello": "#!/bin/sh\n# " + time.Now().String() + "\n"}}
	own := w.Debian(options, hello)
	dir := debianProject(t, "[debian]\npackages = [\"lamina-hello\"]\n", own)
	list := string(w.Content("/own/dists/own/InRelease"))
	sums := regexp.MustCompile(`(?m)^ [0-9a-f]{64} `).ReplaceAllString(list[strings.Index(list, "Origin"):strings.Index(list, "-----BEGIN PGP SIGNATURE")], " "+strings.Repeat("no", 32)+" ")
	for _, tt := range []struct {
		name    string
		corrupt func()
		code    int
		says    string
		signers []*openpgp.Entity
	}{
		{"another key", func() { own.Publish() }, 1, "the index of 127-0-0-1-", []*openpgp.Entity{theirs}},
		{"an expired key", func() { own.Publish() }, 1, "or its signature has expired", []*openpgp.Entity{expired}},
		{"hashes that are none", func() { own.Sign([]byte(sums)) }, 1, `" is not a hash of 64 hexadecimal digits`, []*openpgp.Entity{ours}},
		{"no packages", func() {
			own.Publish()
			w.Fail("/own/dists/own/main/**", testworld.Status(http.StatusNotFound, testworld.Always))
		}, 1, "answers 404 to", []*openpgp.Entity{ours}},
	} {
		own.Signers = tt.signers
		tt.corrupt()
		r := u.Run(t, "lock", dir)
		if r.Code != tt.code || !strings.Contains(r.Stderr, tt.says) || strings.Count(r.Stderr, "build: error: ") != 1 {
			t.Errorf("%s: exit code %d, want %d and %q\n%s", tt.name, r.Code, tt.code, tt.says, e2etest.Tail(r.Stderr))
		}
		if _, err := os.Stat(filepath.Join(dir, "image.lock")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: there is a lock, %v", tt.name, err)
		}
		w.Heal()
	}
	own.Signers = []*openpgp.Entity{theirs, ours}
	hello.Version = "2.0"
	own.Publish(hello)
	u.Build(t, "lock", dir)
	if p, _ := lock.Find(e2etest.ReadLock(t, dir).Packages, "lamina-hello"); p.Version != "2.0" {
		t.Errorf("locked is %s", p.Version)
	}
	w.Fail("/own/pool/**", testworld.Status(http.StatusNotFound, testworld.Always))
	r := u.Run(t, dir, "--smoke", "off")
	if r.Code != 75 || !strings.Contains(r.Stderr, "lamina-hello_2.0_all.deb") || !strings.Contains(r.Stderr, "to lock its successor") {
		t.Errorf("a lost package: exit code %d\n%s", r.Code, e2etest.Tail(r.Stderr))
	}
	u.HasNoImage(t)
	w.Heal()
	u.Build(t, dir, "--smoke", "off")
}
