package debian_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"lamina.build/internal/debian"
	"lamina.build/internal/failure"
)

func TestMirrorsAreParsed(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		text string
		want debian.Mirrors
	}{
		{"", debian.Mirrors{}},
		{"https://mirror.example/debian/", debian.Mirrors{
			"debian": "https://mirror.example/debian", "debian-security": "https://mirror.example/debian-security",
		}},
		{"http://mirror.example:3142/archive/debian/20260101T000000Z", debian.Mirrors{
			"debian":          "http://mirror.example:3142/archive/debian/20260101T000000Z",
			"debian-security": "http://mirror.example:3142/archive/debian-security/20260101T000000Z",
		}},
		{"https://mirror.example/mine?a=b", debian.Mirrors{"debian": "https://mirror.example/mine?a=b"}},
		{"debian=https://a.example/d, cuda=file:///srv/cuda", debian.Mirrors{
			"debian": "https://a.example/d", "cuda": "file:///srv/cuda",
		}},
		{"/srv/debian", debian.Mirrors{"debian": "file:///srv/debian", "debian-security": "file:///srv/debian-security"}},
	} {
		got, err := debian.ParseMirrors(tc.text)
		if err != nil {
			t.Errorf("%q: %v", tc.text, err)
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%q: (-want +got)\n%s", tc.text, diff)
		}
	}
}

func TestBadMirrorsAreTheUsersProblem(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"mirror.example", "ftp://a.example/debian", "https:///debian", "file://a/b", "debian=", "debian=/a,debian=/b"} {
		_, err := debian.ParseMirrors(text)
		if failure.KindOf(err) != failure.Usage || len(failure.Hints(err)) == 0 {
			t.Errorf("%q: got %v, want a usage error with a hint", text, err)
		}
	}
}

// A login in an address would appear in graphs and logs; the error doesn't print it, either.
func TestMirrorsHaveNoLogins(t *testing.T) {
	for text, want := range map[string]string{
		"https://me:secret@a.test/debian": "https://…@a.test/debian", "debian=http://secret@a.test/debian": "debian=http://…@a.test/debian",
		"http://me:secret%zz@a.test/debian": "http://…@a.test/debian",
	} {
		_, err := debian.ParseMirrors(text)
		if failure.KindOf(err) != failure.Usage || strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", text, err)
		}
	}
}

func TestTheFirstMirrorThatIsKnownIsTaken(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 23, 1, 2, 3, 0, time.UTC)
	flag := debian.Mirrors{"debian": "https://flag.example"}
	spec := debian.Mirrors{"debian": "https://spec.example", "cuda": "https://spec.example/cuda"}
	got := debian.Merge(flag, nil, spec, debian.Snapshot(at))
	want := debian.Mirrors{
		"debian":          "https://flag.example",
		"cuda":            "https://spec.example/cuda",
		"debian-security": "https://snapshot.debian.org/archive/debian-security/20261123T010203Z",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestPlusSignsAreEscaped(t *testing.T) {
	t.Parallel()
	m := debian.Mirrors{"debian": "https://mirror.example/debian/"}
	if got, want := m.URL("debian", "./pool/g++.deb"), "https://mirror.example/debian/pool/g%2B%2B.deb"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// enabled returns an entry for each value of Enabled, whose host is the value in lower case.
func enabled(values ...string) (text string) {
	for _, value := range values {
		text += fmt.Sprintf("Types: deb\nURIs: http://%s.example/debian\nSuites: trixie\nComponents: main\nEnabled: %s\n\n", strings.ToLower(value), value)
	}
	return text
}

func TestTheHostsMirrorsAreFound(t *testing.T) {
	for _, tc := range []struct {
		name  string
		files map[string]string
		want  debian.Mirrors
	}{
		{"nothing", nil, debian.Mirrors{}},
		{"one line", map[string]string{"etc/apt/sources.list": `
# deb http://not.example/debian bookworm main
deb-src http://source.example/debian bookworm main
deb [arch=amd64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://a.example/debian/ bookworm main contrib # the main one
deb http://b.example/debian bookworm-updates main
deb http://a.example/debian-security bookworm-security main
`}, debian.Mirrors{"debian": "http://a.example/debian", "debian-security": "http://a.example/debian-security"}},
		{"deb822", map[string]string{"etc/apt/sources.list.d/debian.sources": `
Types: deb deb-src
# the nearest
URIs: http://a.example/debian
Suites: trixie
 trixie-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://a.example/security/root/
Suites: trixie-security
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://off.example/debian
Suites: trixie
Components: main
Enabled: no
`}, debian.Mirrors{"debian": "http://a.example/debian", "debian-security": "http://a.example/security/root"}},
		{"words for no", map[string]string{"etc/apt/sources.list.d/debian.sources": enabled("off", "without", "DISABLE", "0")}, debian.Mirrors{}},
		{"words for yes", map[string]string{"etc/apt/sources.list.d/debian.sources": enabled("off") + enabled("Maybe")}, debian.Mirrors{"debian": "http://maybe.example/debian"}},
		{"others", map[string]string{
			"etc/apt/sources.list.d/docker.list":   "deb https://docker.example/linux/debian bookworm stable\n",
			"etc/apt/sources.list.d/pg.list":       "deb https://pg.example/repos/apt bookworm-pgdg main\n",
			"etc/apt/sources.list.d/prod.list":     "deb https://prod.example/debian/12/prod bookworm main\n",
			"etc/apt/sources.list.d/off.list.save": "deb http://a.example/debian bookworm main\n",
			"etc/apt/sources.list.d/cd.list":       "deb cdrom:[Debian]/ bookworm main\n",
		}, debian.Mirrors{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			fsys := fstest.MapFS{}
			for name, text := range tc.files {
				fsys[name] = &fstest.MapFile{Data: []byte(text)}
			}
			if diff := cmp.Diff(tc.want, debian.HostMirrors(fsys)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func FuzzParsedMirrorsAreUsable(f *testing.F) {
	f.Add("debian=https://a.example/debian,x=/srv")
	f.Fuzz(func(t *testing.T, text string) {
		m, err := debian.ParseMirrors(text)
		if err != nil {
			return
		}
		for name, base := range m {
			again, err := debian.ParseMirrors(name + "=" + base)
			if err != nil || again[name] != base {
				t.Errorf("%q: %q is read again as %q: %v", text, base, again[name], err)
			}
		}
	})
}
