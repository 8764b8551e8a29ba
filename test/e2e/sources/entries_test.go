package sources

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"
	"testing"

	"lamina.build/internal/test/e2etest"
	"lamina.build/internal/test/testworld"
	"lamina.build/lock"
)

// evil returns a package with an illegal entry in its data.tar.
func evil(name string, h tar.Header) testworld.Deb {
	h.Mode = 0o644
	return testworld.Deb{Name: name, Entries: []tar.Header{h}}
}

// Packages of a malicious repository: the problems of all are reported before any is
// configured. Links stay links.
func TestRealEntriesOfPackages(t *testing.T) {
	t.Parallel()
	u := e2etest.NewUser(t)
	d := testworld.New(t).Debian(testworld.DebianOptions{Path: "own", Flat: true},
		evil("evil-name", tar.Header{Name: "./.wh.etc"}), evil("evil-up", tar.Header{Name: "./../up"}), evil("evil-root", tar.Header{Name: "/rooted"}),
		evil("evil-device", tar.Header{Name: "./null", Typeflag: tar.TypeChar, Devmajor: 1, Devminor: 3}), evil("evil-pipe", tar.Header{Name: "./pipe", Typeflag: tar.TypeFifo}),
		evil("evil-link", tar.Header{Name: "./passwd", Typeflag: tar.TypeLink, Linkname: "../../etc/passwd"}),
		evil("good-link", tar.Header{Name: "./good", Typeflag: tar.TypeSymlink, Linkname: "../../etc/passwd"}),
	)
	spec := func(packages string) map[string]string {
		return map[string]string{"own.asc": string(d.Key), "image.toml": `name = "faceblend"
[debian]
packages = ["python3", ` + packages + `]
[[debian.repository]]
name = "own"
url  = "` + d.URL + `"
suite = "./"
key  = "own.asc"
`}
	}
	dir := e2etest.PythonProject(t, "", spec(`"evil-name", "evil-up", "evil-root", "evil-device", "evil-pipe", "evil-link", "good-link"`))
	u.Fails(t, 1, []string{
		"evil-name: ./.wh.etc is named like a file that removes others in an image", "evil-up: ./../up leads out of it", "evil-root: /rooted is absolute",
		"evil-device: ./null is a device or a pipe", "evil-pipe: ./pipe is a device or a pipe", "evil-link: ./passwd leads out of it, to ../../etc/passwd",
	}, dir, "--progress", "plain")
	u.HasNoImage(t)

	dir = e2etest.PythonProject(t, "", spec(`"good-link"`))
	u.Build(t, dir, "--smoke", "off")
	l, image := u.Image(t, "production")
	if e := e2etest.Files(t, l, image)["/good"]; e.Link != "../../etc/passwd" {
		t.Errorf("a link became %+v", e)
	}

	// A lock that names another file of the repository than its package.
	locked := e2etest.ReadLock(t, dir)
	for i := range locked.Packages {
		if p := &locked.Packages[i]; p.Name == "good-link" {
			other := testworld.Deb{Name: "evil-pipe"}
			p.Path, p.SHA256 = other.Path(), sum(string(evil("evil-pipe", tar.Header{Name: "./pipe", Typeflag: tar.TypeFifo}).Bytes(t)))
		}
	}
	e2etest.Write(t, filepath.Join(dir, "image.lock"), locked.Format())
	u.Fails(t, 1, []string{"good-link 1.0 all is locked, but was not unpacked"}, dir, "--progress", "plain")
}

func sum(text string) string {
	hash := sha256.Sum256([]byte(text))
	return hex.EncodeToString(hash[:])
}

// A wheel that was not inspected when it was locked: the lock is forged, and its index serves
// the wheel. Its installation is refused.
func TestRealWheelOfALie(t *testing.T) {
	t.Parallel()
	u := e2etest.NewUser(t)
	x := e2etest.PureIndex(t, testworld.IndexOptions{})
	u.Env = []string{"LAMINA_PYTHON_INDEX=" + x.URL}
	dir := e2etest.Needs(t, "alpha")
	u.Build(t, "lock", dir)
	hostile := testworld.Wheel{Name: "beta", Version: "2.1", Files: map[string]string{"beta/.wh.core.py": ""}}
	x.Publish(hostile)
	l := e2etest.ReadLock(t, dir)
	e2etest.Find(t, l, "beta")
	for i := range l.Distributions {
		if d := &l.Distributions[i]; d.Name == "beta" {
			data := string(hostile.Bytes(t))
			d.SHA256, d.Size = sum(data), int64(len(data))
		}
	}
	e2etest.Write(t, filepath.Join(dir, "image.lock"), l.Format())
	u.Build(t, "lock", "--check", dir) // undetectable so far
	u.Fails(t, 1, []string{"beta-2.1-py3-none-any.whl: it has the path 'beta/.wh.core.py': names with .wh. in front remove files"}, dir, "--progress", "plain")
	u.HasNoImage(t)
}

// A lock is a claim: an entry that the spec doesn't require ends a build before anything is
// fetched.
func TestRealLiesOfALock(t *testing.T) {
	t.Parallel()
	u := e2etest.NewUser(t)
	hostile := testworld.Wheel{Name: "alpha", Version: "1.0", Files: map[string]string{"evil.py": ""}}
	x, other := e2etest.PureIndex(t, testworld.IndexOptions{}), testworld.New(t).Index(testworld.IndexOptions{}, hostile)
	u.Env = []string{"LAMINA_PYTHON_INDEX=" + x.URL}
	dir := e2etest.Needs(t, "alpha")
	u.Build(t, "lock", dir)
	u.Build(t, "lock", "--check", dir)
	true := e2etest.ReadLock(t, dir)
	for want, lie := range map[string]func(*lock.Distribution){
		"alpha 1.0: from the index " + other.URL: func(d *lock.Distribution) {
			d.Index, d.URL, d.SHA256 = other.URL, other.FileURL(d.File), sum(string(hostile.Bytes(t)))
		},
		"alpha is not locked": func(d *lock.Distribution) { d.For[0].Project, d.For[0].Kind = "x", lock.SetBuild },
		"is not a file of it": func(d *lock.Distribution) { d.Version = "9.9" },
		"doesn't list " + other.FileURL("alpha-1.0-py3-none-any.whl"): func(d *lock.Distribution) {
			d.URL = other.FileURL("alpha-1.0-py3-none-any.whl")
		},
	} {
		l := true
		l.Distributions = append([]lock.Distribution(nil), true.Distributions...)
		l.Distributions[0].For = append([]lock.Set(nil), l.Distributions[0].For...)
		lie(&l.Distributions[0])
		l.Pages = append([]lock.Page(nil), true.Pages...)
		for i := range l.Pages { // a forged index has forged pages
			if d := l.Distributions[0]; l.Pages[i].Project == d.Name {
				l.Pages[i].Index = d.Index
			}
		}
		l.Sort()
		e2etest.Write(t, filepath.Join(dir, "image.lock"), l.Format())
		u.Fails(t, 3, []string{want}, "lock", "--check", dir)
		asked := other.Files.Requests("*/*")
		u.Fails(t, 3, []string{want, "hint: "}, dir, "--progress", "plain")
		u.HasNoImage(t)
		if now := other.Files.Requests("*/*"); now != asked {
			t.Errorf("%s: the other index got %d requests", want, now-asked)
		}
	}
}
