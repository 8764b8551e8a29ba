package keys

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"slices"
	"strings"
	"testing"

	"lamina.build/internal/test/e2etest"
	"lamina.build/internal/test/testworld"
)

// newKey returns an unpublished private key.
func newKey(t *testing.T) string {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	data, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: data}))
}

// unlisted removes the hashes of keys from a RECORD.
func unlisted(lines []string) []string {
	for i, line := range lines {
		if name, _, ok := strings.Cut(line, ".pem,"); ok {
			lines[i] = name + ".pem,,"
		}
	}
	return lines
}

// What no wheel, tree or app may contain is refused at any level of the smoke tests, and
// what is published or kept is allowed.
func TestRealLayersOfOthers(t *testing.T) {
	t.Parallel()
	u, w := e2etest.NewUser(t), testworld.New(t)
	key := newKey(t)
	makes := strings.Join([]string{
		"import worldbackend", "def build_wheel(*a):", "    open('made.py', 'w').write(" + quote(key) + ")", "    return worldbackend.build_wheel(*a)",
		"get_requires_for_build_wheel = worldbackend.get_requires_for_build_wheel", "prepare_metadata_for_build_wheel = worldbackend.prepare_metadata_for_build_wheel", "",
	}, "\n")
	x := w.Index(testworld.IndexOptions{}, testworld.Backend(),
		testworld.Wheel{Name: "systems", Data: map[string]string{"data/sbin/tool": "#!/bin/sh\n"}},
		testworld.Wheel{Name: "leaky", Files: map[string]string{"leaky/server.pem": key, "leaky/__init__.py": ""}, Record: unlisted},
		testworld.Wheel{Name: "tested", Files: map[string]string{"tested/test.pem": key, "tested/__init__.py": ""}},
		testworld.Sdist{Name: "published", BuildRequires: []string{"worldbackend"}, Backend: "worldbackend", Files: map[string]string{"published/key.py": "KEY = " + quote(key), "published/__init__.py": ""}},
		testworld.Wheel{Name: "maker", Files: map[string]string{"maker.py": makes}, Requires: []string{"worldbackend"}},
		testworld.Sdist{Name: "made", BuildRequires: []string{"maker", "worldbackend"}, Backend: "maker"},
	)
	tree := w.Git("tree", map[string]string{"deploy/id": key})
	git := "[[git]]\nurl = \"" + tree.URL + "\"\ncommit = \"" + tree.Commit + "\"\npath = \"/opt/tree\"\n"
	const site = "/usr/local/lib/python3.11/dist-packages/"
	u.Env = []string{"LAMINA_PYTHON_INDEX=" + x.URL}
	for _, tt := range []struct {
		name, needs, keep, more string
		code                    int
		says                    []string
	}{
		{"sbin", "systems", "", "", 1, []string{"check: small wheels: ", "/usr/local/sbin is where no layer of its kind may be"}},
		{"a key in a wheel", "leaky", "", "", 1, []string{site + "leaky/server.pem holds a private key (PEM), of leaky 1.0, which", `keep = ["` + site + `leaky/server.pem"] under [debian]`}},
		{"keys that are kept, listed, of an sdist", "leaky\ntested\npublished", "/usr/**/server.pem", "", 0, []string{
			"server.pem holds a private key (PEM), and is kept", "test.pem holds a private key (PEM) that is public", "key.py holds a private key (PEM) that is public",
		}},
		{"a key that a build makes", "made", "", "", 1, []string{site + "made.py holds a private key (PEM), of made 1.0, which"}},
		{"a key in a tree", "", "", git, 1, []string{"check: tree ", "/opt/tree/deploy/id holds a private key (PEM), of tree "}},
		{"a key in an app", "", "", "[app]\nsource = \"app\"\nentrypoint = [\"python3\"]\n", 2, []string{`path "id": holds a private key (PEM)`, `keep = ["/app/id"] under [debian]`}},
		{"a key in an app that is kept", "", "/app/id", "[app]\nsource = \"app\"\nentrypoint = [\"python3\"]\n", 0, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			u := *u
			u.Dir = t.TempDir()
			python := ""
			if tt.needs != "" {
				python = "[python]\nrequirements = [\"requirements.txt\"]\n"
			}
			keep := ""
			if tt.keep != "" {
				keep = "keep = [\"" + tt.keep + "\"]\n"
			}
			dir := e2etest.PythonProject(t, keep+python+tt.more, map[string]string{"requirements.txt": tt.needs + "\n", "app/id": key})
			u.Build(t, "lock", dir)
			if tt.code != 0 {
				u.Fails(t, tt.code, tt.says, dir, "--smoke", "off")
				u.HasNoImage(t)
				return
			}
			first, again := u.Build(t, dir, "--smoke", "off"), u.Build(t, dir, "--smoke", "off", "--progress", "rawjson")
			for _, text := range tt.says {
				for _, r := range []e2etest.Result{first, again} {
					if !strings.Contains(r.Stdout, text) {
						t.Errorf("the summary does not have %q:\n%s", text, r.Stdout)
					}
				}
			}
			// Nothing of an unchanged build is checked again.
			ran, cached := e2etest.Execs(again.Stderr)
			if len(ran) > 0 || !slices.Contains(cached, "check: runtime") {
				t.Errorf("built again: %q ran, %q did not", ran, cached)
			}
		})
	}
}

// quote returns a text as a Python literal.
func quote(s string) string { return `"` + strings.ReplaceAll(s, "\n", `\n`) + `"` }

// offender is a maintainer script that makes what no layer may have.
const offender = `#!/bin/sh
set -e
umask 022
mkdir -p /opt/offender
printf '%s' "-----BEGIN EC PRIVATE KEY-----
MHcCAQEEIOb6XcUH5vYwVIrXn0nUqAUEHXSVG4kCH0oTHhLpdnMooAoGCCqGSM49
-----END EC PRIVATE KEY-----
" >/opt/offender/made.pem
cp /bin/true /opt/offender/root
chmod 4755 /opt/offender/root
mknod /opt/offender/gone c 0 0
mknod /opt/offender/null c 1 3
mkfifo /opt/offender/pipe
: >/opt/offender/.wh.passwd
cp /bin/true /opt/offender/net
python3 -c 'import os; os.setxattr("/opt/offender/net", "security.capability", bytes.fromhex("0100000200200000000000000000000000000000"))'
`

// Everything that a maintainer script makes and no layer may have is found, even if the
// spec leaves dpkg's lists out; files of the package itself are allowed.
func TestRealPackageThatCorrupts(t *testing.T) {
	t.Parallel()
	u, w := e2etest.NewUser(t), testworld.New(t)
	repository := w.Debian(testworld.DebianOptions{}, testworld.Deb{
		Name: "offender", Fields: []string{"Depends: python3"}, Files: map[string]string{"/opt/offender/published.pem": newKey(t)}, Postinst: offender,
	})
	dir := e2etest.PythonProject(t, "exclude = [\"/var/lib/dpkg/info/**\"]\n[[debian.repository]]\nurl = \""+repository.URL+"\"\nsuite = \"bookworm\"\nkey = \"key.asc\"\n",
		map[string]string{"key.asc": string(repository.Key)})
	e2etest.Edit(t, dir+"/image.toml", `["python3"]`, `["python3", "offender"]`)
	u.Build(t, "lock", dir)
	u.Fails(t, 1, []string{
		"/opt/offender/.wh.passwd is a whiteout", "/opt/offender/gone is a whiteout", "/opt/offender/null is a device node",
		"/opt/offender/made.pem holds a private key (PEM), made while offender was installed",
		"/opt/offender/net has capabilities, but no Debian package owns it", "/opt/offender/root is setuid or setgid, but no Debian package owns it",
		"/opt/offender/published.pem holds a private key (PEM) that is public",
		`hint: everybody who has the image would have it; if that is intended, set keep = ["/opt/offender/made.pem"] under [debian]`,
	}, dir, "--smoke", "off", "--progress", "plain")
	u.HasNoImage(t)
}
