package debian_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lamina.build/internal/debian"
	"lamina.build/internal/test/testworld"
)

func TestNamesLikeAnUnknownOneAreFound(t *testing.T) {
	t.Parallel()
	var debs []testworld.Deb
	for _, name := range []string{
		"python3-numpy", "python3-numpydoc", "python3-msgpack-numpy", "cmake", "bmake", "cmake-doc", "libnvrtc11.2", "build-essential", "gcc",
	} {
		debs = append(debs, testworld.Deb{Name: name})
	}
	x, err := index(t, getter(t), testworld.New(t).Debian(testworld.DebianOptions{}, debs...))
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		asked string
		want  []string
	}{
		{"python3-nunpy", []string{"python3-numpy"}},
		{"numpy", []string{"python3-numpy", "python3-msgpack-numpy"}},
		{"cmkae", []string{"cmake"}},
		{"libnvrtc", []string{"libnvrtc11.2"}},
		{"buildessential", []string{"build-essential"}},
		{"nothing-like-it", nil},
	} {
		got := x.Suggestions(tc.asked)
		if len(got) > len(tc.want) {
			got = got[:len(tc.want)]
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", tc.asked, diff)
		}
	}
}

func TestProvidersOfAVirtualPackageAreFound(t *testing.T) {
	t.Parallel()
	x, err := index(t, getter(t), testworld.New(t).Debian(
		testworld.DebianOptions{},
		testworld.Deb{Name: "mawk", Fields: []string{"Provides: awk, other (= 1)"}},
		testworld.Deb{Name: "gawk", Fields: []string{"Provides: awk"}},
		testworld.Deb{Name: "gawk", Version: "2", Fields: []string{"Provides: awk"}},
	))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"gawk", "mawk"}, x.Providers("awk")); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if diff := cmp.Diff([]string{"mawk"}, x.Providers("other")); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestASuiteToBeAskedForComesLast(t *testing.T) {
	t.Parallel()
	w := testworld.New(t)
	stable := w.Debian(testworld.DebianOptions{}, testworld.Deb{Name: "hello"})
	backports := w.Debian(testworld.DebianOptions{
		Path: "backports", Fields: []string{"NotAutomatic: True", "ButAutomaticUpgrades: yes"},
	}, testworld.Deb{Name: "hello", Version: "2.0"}, testworld.Deb{Name: "only"})
	g := getter(t)
	var files []debian.IndexFile
	for _, d := range []*testworld.Debian{backports, stable} {
		m, s := source(t, d)
		r, err := g.Release(t.Context(), m, s, time.Now(), silent)
		if err != nil {
			t.Fatal(err)
		}
		more, merr := g.Packages(t.Context(), m, &r, s.Components, "amd64")
		if merr != nil {
			t.Fatal(merr)
		}
		files = append(files, more...)
	}
	x, err := debian.NewIndex(t.Context(), files)
	if err != nil {
		t.Fatal(err)
	}
	if p, _ := x.Best("hello"); p.Version != "1.0" {
		t.Errorf("got %s, want 1.0", p)
	}
	if p, ok := x.Best("only"); !ok {
		t.Errorf("got %v, want the package that only backports has", p)
	}
}

func TestAPackageIsFetchedAndChecked(t *testing.T) {
	t.Parallel()
	w := testworld.New(t)
	d := w.Debian(testworld.DebianOptions{}, testworld.Deb{Name: "hello"})
	g := getter(t)
	x, err := index(t, g, d)
	if err != nil {
		t.Fatal(err)
	}
	m, _ := source(t, d)
	p, _ := x.Best("hello")
	w.Fail("/debian/pool/**", testworld.Status(http.StatusNotFound, 1))
	if _, err := g.Package(t.Context(), m, p); !debian.IsNotFound(err) || !strings.Contains(err.Error(), "package hello 1.0") {
		t.Errorf("got %v, want a not-found error", err)
	}
	w.Fail("/debian/pool/**", testworld.Wrong(1))
	if _, err := g.Package(t.Context(), m, p); err == nil {
		t.Error("wrong bytes were accepted")
	}
	if _, err := g.Package(t.Context(), m, p); err != nil {
		t.Error(err)
	}
}

func TestABrokenPackagesFileIsRefused(t *testing.T) {
	t.Parallel()
	good := "Package: a\nVersion: 1\nArchitecture: all\nFilename: pool/a.deb\nSize: 1\nSHA256: 00\n"
	for _, tc := range []struct{ name, text string }{
		{"no name", strings.Replace(good, "Package: a\n", "", 1)},
		{"no version", strings.Replace(good, "Version: 1\n", "", 1)},
		{"no size", strings.Replace(good, "Size: 1\n", "", 1)},
		{"no path", strings.Replace(good, "Filename: pool/a.deb\n", "", 1)},
		{"a path that escapes", strings.Replace(good, "pool/", "pool/../../", 1)},
		{"an absolute path", strings.Replace(good, "pool/", "/pool/", 1)},
	} {
		if err := debian.ReadPackages([]byte(tc.text), func(int, debian.Package) {}); err == nil {
			t.Errorf("%s: it was accepted", tc.name)
		}
	}
	if err := debian.ReadPackages([]byte("\n\n"+good+"\n\n\n"+good), func(int, debian.Package) {}); err != nil {
		t.Error(err)
	}
}

func TestLongAndFoldedLinesAreRead(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("libfoo, ", 40_000)
	text := "Package: a\nVersion: 1\nArchitecture: all\nTag: x,\n y\nDepends: " + long + "\n last\nFilename: ./a.deb\nSize: 1\nSHA256: 00"
	n := 0
	err := debian.ReadPackages([]byte(text), func(_ int, p debian.Package) {
		n++
		if p.Depends != strings.TrimSpace(long)+" last" || p.Filename != "a.deb" {
			t.Errorf("got Depends of %d bytes, Filename %q", len(p.Depends), p.Filename)
		}
	})
	if err != nil || n != 1 {
		t.Errorf("got %d packages, %v", n, err)
	}
}

func FuzzReadPackagesNeverTakesAPathThatEscapes(f *testing.F) {
	f.Add([]byte("Package: a\nVersion: 1\nArchitecture: all\nFilename: pool/a.deb\nSize: 1\n\n"))
	f.Add([]byte("Package: a\n b\nFilename: ..\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		_ = debian.ReadPackages(text, func(_ int, p debian.Package) {
			if strings.HasPrefix(p.Filename, "/") || strings.HasPrefix(p.Filename, "..") || p.Name == "" || p.Size < 0 {
				t.Errorf("took %+v", p)
			}
		})
	})
}

// BenchmarkReadPackages reads an index of the size of Debian's main component.
func BenchmarkReadPackages(b *testing.B) {
	var text strings.Builder
	for i := range 63_000 {
		fmt.Fprintf(&text, "Package: package-%d\nVersion: 1.0-1\nInstalled-Size: 1000\nMaintainer: Somebody <a@deb.example>\n"+
			"Architecture: amd64\nDepends: libc6 (>= 2.34), libgcc-s1 (>= 3.0), libstdc++6 (>= 11), package-%d\n"+
			"Description: %s\nHomepage: https://deb.example/\nTag: %s\nSection: libs\nPriority: optional\n"+
			"Filename: pool/main/p/package/package_%d_amd64.deb\nSize: 12345\nMD5sum: 0123456789abcdef0123456789abcdef\nSHA256: %064d\n\n",
			i, i+1, strings.Repeat("word ", 20), strings.Repeat("tag::tag, ", 12), i, i)
	}
	b.SetBytes(int64(text.Len()))
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		if err := debian.ReadPackages([]byte(text.String()), func(int, debian.Package) { n++ }); err != nil || n != 63_000 {
			b.Fatal(n, err)
		}
	}
}

// TestRealMirror reads Debian's own archive, from the mirror of this host, or, if it isn't a
// Debian host, from the snapshot archive.
func TestRealMirror(t *testing.T) {
	m := testworld.RealMirrors(t)
	keys, err := debian.ArchiveKeys()
	if err != nil {
		t.Fatal(err)
	}
	g := debian.NewGetter(t.TempDir())
	var files []debian.IndexFile
	for _, suite := range []string{"bookworm", "bookworm-security"} {
		s := debian.Source{Repository: debian.RepositoryOf(suite), Suite: suite, Components: []string{"main"}, Keys: keys}
		r, rerr := g.Release(t.Context(), m, s, time.Now(), func(s string) { t.Log(s) })
		if rerr != nil {
			t.Fatal(rerr)
		}
		more, merr := g.Packages(t.Context(), m, &r, s.Components, "amd64")
		if merr != nil {
			t.Fatal(merr)
		}
		files = append(files, more...)
	}
	start := time.Now()
	x, err := debian.NewIndex(t.Context(), files)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("opened in %v", time.Since(start))
	p, ok := x.Best("base-files")
	if !ok || !p.Essential {
		t.Fatalf("got %v, want the essential base-files", p)
	}
	name, err := g.Package(t.Context(), m, p)
	if err != nil {
		t.Fatal(err)
	}
	issue, err := debian.ReadDebFile(name, "etc/debian_version")
	if err != nil || !strings.HasPrefix(string(issue), "12.") {
		t.Errorf("etc/debian_version: got %q, %v", issue, err)
	}
}
