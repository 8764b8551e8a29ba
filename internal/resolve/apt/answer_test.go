package apt

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lamina.build/internal/debian"
	"lamina.build/internal/failure"
	"lamina.build/internal/test/testworld"
	"lamina.build/lock"
)

// open returns an archive of a test's packages.
func open(t *testing.T, debs ...testworld.Deb) *archive {
	t.Helper()
	d := testworld.New(t).Debian(testworld.DebianOptions{}, debs...)
	keys, err := debian.ParseKeys("key", d.Key)
	if err != nil {
		t.Fatal(err)
	}
	a := &archive{
		getter: debian.NewGetter(t.TempDir()), mirrors: debian.Mirrors{"test": d.URL}, arch: "amd64",
		sources: []debian.Source{{Repository: "test", Suite: "bookworm", Components: []string{"main"}, Keys: keys}},
	}
	o := Options{Progress: func(string) {}}
	r, files, err := a.open(t.Context(), o, a.sources[0])
	if err != nil {
		t.Fatal(err)
	}
	a.releases, a.files = []*debian.Release{r}, files
	if a.index, err = debian.NewIndex(t.Context(), files); err != nil {
		t.Fatal(err)
	}
	for _, d := range debs {
		a.part = a.index.Part(d.Name)
	}
	return a
}

func TestOnlyWhatTheVerifiedIndexHasIsTaken(t *testing.T) {
	t.Parallel()
	a := open(t, testworld.Deb{Name: "hello", Version: "1:1.0+b1"})
	p, _ := a.index.Best("hello")
	good := fmt.Sprintf("'file:/repository/0/pool/main/h/hello/hello_1.0%%2bb1_all.deb' hello_1%%3a1.0+b1_all.deb %d SHA256:%s", p.Size, p.SHA256)
	for _, tc := range []struct{ name, line, want string }{
		{"as it is", good, ""},
		{"another hash", strings.Replace(good, p.SHA256, strings.Repeat("0", 64), 1), "different size or sha256"},
		{"another size", strings.Replace(good, fmt.Sprintf(" %d ", p.Size), " 1 ", 1), "different size or sha256"},
		{"another path", strings.Replace(good, "hello/hello_1.0", "hello/hello_2.0", 1), "no such package"},
		{"another repository", strings.Replace(good, "/0/", "/1/", 1), "no such repository"},
		{"a weaker hash", strings.Replace(good, "SHA256:", "MD5Sum:", 1), "not a line of --print-uris"},
		{"nonsense", "'", "not a line of --print-uris"},
	} {
		got, err := a.packages(question{set: lock.Set{Kind: lock.SetRuntime}}, answer{status: "0\n", uris: tc.line + "\n"})
		switch {
		case tc.want == "" && (err != nil || len(got) != 1 || got[0] != p):
			t.Errorf("%s: got %v, %v, want %v", tc.name, got, err, p)
		case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
			t.Errorf("%s: got %v, want %q", tc.name, err, tc.want)
		}
	}
}

func TestARefusalHoldsWhatAptSaid(t *testing.T) {
	t.Parallel()
	log := "Reading package lists...\nBuilding dependency tree...\nSome packages could not be installed.\n" +
		"The following packages have unmet dependencies:\n a : Depends: b (>= 2) but 1 is to be installed\nE: Unable to correct problems\n"
	_, err := (&archive{}).packages(question{set: lock.Set{Kind: lock.SetBuilder}, packages: []string{essential, "a"}}, answer{status: "100\n", log: log})
	want := "builder: apt can't install a together:\n  Some packages could not be installed.\n" +
		"  The following packages have unmet dependencies:\n   a : Depends: b (>= 2) but 1 is to be installed\n  E: Unable to correct problems"
	if diff := cmp.Diff(want, fmt.Sprint(err)); diff != "" || failure.KindOf(err) != failure.Usage {
		t.Errorf("kind %d (-want +got)\n%s", failure.KindOf(err), diff)
	}
}

func TestEachSetIsAskedInItsWay(t *testing.T) {
	t.Parallel()
	list, err := questions([]lock.Request{
		{Set: lock.ParseSet("base"), Packages: []string{"?essential"}},
		{Set: lock.ParseSet("bootstrap"), Packages: []string{"busybox-static"}},
		{Set: lock.ParseSet("extra@debug"), Packages: []string{"gdb"}},
		{Set: lock.ParseSet("extra@new"), Packages: []string{"gdb"}},
		{Set: lock.ParseSet("runtime"), Packages: []string{"python3"}},
		{Set: lock.ParseSet("runtime@new"), Packages: []string{"python3", "libfoo"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"/install-000":  "?essential\n",
		"/download-001": "busybox-static\n",
		"/add-002":      "004\ngdb\n",
		"/add-003":      "005\ngdb\n",
		"/install-004":  "?essential\npython3\n",
		"/install-005":  "?essential\npython3\nlibfoo\n",
	}
	if diff := cmp.Diff(want, files(list)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestTheClosureTakesFirstAlternatives(t *testing.T) {
	t.Parallel()
	a := open(t,
		testworld.Deb{Name: "apt", Fields: []string{"Pre-Depends: libc (>= 2)", "Depends: gone | second | third, virtual, perl:any"}},
		testworld.Deb{Name: "libc", Fields: []string{"Depends: apt"}},
		testworld.Deb{Name: "second"}, testworld.Deb{Name: "third"}, testworld.Deb{Name: "perl"},
		testworld.Deb{Name: "provider-b", Fields: []string{"Provides: virtual"}},
		testworld.Deb{Name: "provider-a", Fields: []string{"Provides: virtual"}},
		testworld.Deb{Name: "broken", Fields: []string{"Depends: nothing | nobody"}},
	)
	found, err := closure(a.index, "apt")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range found {
		got = append(got, p.Name)
	}
	if diff := cmp.Diff([]string{"apt", "libc", "perl", "provider-a", "second"}, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if _, err := closure(a.index, "broken"); err == nil || !strings.Contains(err.Error(), `"nothing"`) {
		t.Errorf("got %v, want that nothing is missing", err)
	}
}

func TestSourcesThatCouldChangeTheirLineAreRefused(t *testing.T) {
	t.Parallel()
	for _, suite := range []string{"a b", "../../x", "a\ndeb http://evil.example x y", "x#"} {
		a := &archive{sources: []debian.Source{{Repository: "test", Suite: suite}}}
		if list, err := a.sourcesList(); err == nil {
			t.Errorf("%q: got the line %q", suite, list)
		}
	}
}

func FuzzAnswersNeverPanic(f *testing.F) {
	f.Add("'file:/repository/0/pool/a.deb' a_1_all.deb 1 SHA256:" + strings.Repeat("0", 64))
	f.Add("'file:/repository/99999999999999999999/%zz' a_1_all.deb 1 SHA256:" + strings.Repeat("0", 64))
	a := &archive{part: &debian.Part{}, sources: []debian.Source{{Repository: "test"}}}
	f.Fuzz(func(t *testing.T, line string) {
		if p, err := a.printed(line); err == nil {
			t.Errorf("%q: an empty index gave %v", line, p)
		}
	})
}
