package apt_test

import (
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"lamina.build/internal/debian"
	"lamina.build/internal/failure"
	"lamina.build/internal/fetch"
	"lamina.build/internal/resolve/apt"
	"lamina.build/internal/test/enginetest"
	"lamina.build/internal/test/testworld"
	"lamina.build/lock"
)

// requirement requires packages of a test's repository only.
func requirement(t *testing.T, d *testworld.Debian, requests ...lock.Request) apt.Options {
	t.Helper()
	r := lock.Repository{
		Name: "test", URL: d.URL, Suite: d.Suite, Components: d.Components, Key: digest.FromBytes(d.Key),
	}
	if d.Flat {
		r.Suite, r.Components = "./", nil
	}
	return apt.Options{
		Requirements: lock.Requirements{Platform: "linux/amd64", Repositories: []lock.Repository{r}, Requests: requests},
		Keys:         map[string][]byte{"test": d.Key},
		Mirrors:      debian.Mirrors{"test": d.URL},
		Getter:       debian.NewGetter(t.TempDir()),
		Progress:     func(string) {},
	}
}

func TestAllWrongRequirementsAreReportedAtOnce(t *testing.T) {
	t.Parallel()
	d := testworld.New(t).Debian(
		testworld.DebianOptions{},
		testworld.Deb{Name: "python3-numpy"},
		testworld.Deb{Name: "mawk", Fields: []string{"Provides: awk"}},
		testworld.Deb{Name: "gawk", Fields: []string{"Provides: awk"}},
		testworld.Deb{Name: "exim", Fields: []string{"Provides: mta (= 2)"}},
	)
	_, err := apt.Lock(t.Context(), requirement(t, d,
		lock.Request{Set: lock.ParseSet("builder"), Packages: []string{"python3-numpy=9"}},
		lock.Request{Set: lock.ParseSet("runtime"), Packages: []string{"awk", "mta=2", "python3-nunpy"}},
	))
	if failure.KindOf(err) != failure.Usage {
		t.Errorf("got %v, want a usage error", err)
	}
	said := fmt.Sprint(err) + "\n" + strings.Join(failure.Hints(err), "\n")
	for _, want := range []string{
		`builder: package "python3-numpy=9": no index has this version`, "available: 1.0",
		`runtime: package "awk": it is a virtual package`, "name a package that provides it: gawk, mawk",
		`runtime: package "mta=2": it is a virtual package`, "name a package that provides it: exim",
		`runtime: package "python3-nunpy": no such package`, "did you mean python3-numpy?",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is missing in:\n%s", want, said)
		}
	}
}

func TestARepositoryThatCanNotBeTrustedEndsTheLock(t *testing.T) {
	for _, tc := range []struct {
		name    string
		corrupt func(w *testworld.World, o *apt.Options)
		want    string
		kind    failure.Kind
	}{
		{"no key", func(_ *testworld.World, o *apt.Options) { o.Keys = nil }, "no key file is given", failure.Usage},
		{"another key", func(_ *testworld.World, o *apt.Options) {
			o.Keys["test"] = testworld.Armoured(t, testworld.NewKey(t, testworld.KeyOptions{}))
		}, "its key file is sha256:", failure.Usage},
		{"not a key", func(_ *testworld.World, o *apt.Options) {
			o.Keys["test"] = []byte("none")
			o.Requirements.Repositories[0].Key = digest.FromString("none")
		}, `reading key file "test"`, failure.Usage},
		{"altered index", func(w *testworld.World, _ *apt.Options) {
			name := "/debian/dists/bookworm/InRelease"
			w.Put(name, []byte(strings.Replace(string(w.Content(name)), "Origin: Test", "Origin: Tess", 1)))
		}, "altered after it was signed", failure.Failure},
		{"wrong packages", func(w *testworld.World, _ *apt.Options) {
			w.Fail("/debian/dists/bookworm/main/**", testworld.Wrong(testworld.Always))
		}, "its sha256 is", failure.Transient},
		{"index gone", func(w *testworld.World, _ *apt.Options) {
			w.Fail("/debian/dists/**", testworld.Status(http.StatusNotFound, testworld.Always))
		}, "answers 404 to", failure.Usage},
		{"no network", func(w *testworld.World, _ *apt.Options) { w.Stop() }, "gave up after 4 attempts", failure.Transient},
		{"unknown platform", func(_ *testworld.World, o *apt.Options) {
			o.Requirements.Platform = "windows/amd64"
		}, "Debian has no packages for it", failure.Usage},
		{"extra of nothing", func(_ *testworld.World, o *apt.Options) {
			o.Requirements.Requests = []lock.Request{{Set: lock.ParseSet("extra@debug"), Packages: []string{"hello"}}}
		}, "extends a runtime that is not requested", failure.Usage},
		{"no apt", func(*testworld.World, *apt.Options) {}, `package "apt", which apt needs to run`, failure.Failure},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := testworld.New(t)
			o := requirement(t, w.Debian(testworld.DebianOptions{}, testworld.Deb{Name: "hello"}),
				lock.Request{Set: lock.ParseSet("runtime"), Packages: []string{"hello"}})
			tc.corrupt(w, &o)
			_, err := apt.Lock(t.Context(), o)
			if err == nil || !strings.Contains(err.Error(), tc.want) || failure.KindOf(err) != tc.kind {
				t.Errorf("got %v (kind %d), want %q (kind %d)", err, failure.KindOf(err), tc.want, tc.kind)
			}
		})
	}
}

// debianRequirements is a small image of Debian's own packages.
func debianRequirements(requests ...lock.Request) lock.Requirements {
	return lock.Requirements{
		Platform:   "linux/amd64",
		Suites:     []string{"bookworm", "bookworm-updates", "bookworm-security"},
		Components: []string{"main", "contrib", "non-free"},
		Requests: append([]lock.Request{
			{Set: lock.ParseSet("base"), Packages: []string{"?essential"}},
			{Set: lock.ParseSet("bootstrap"), Packages: []string{"busybox-static", "libeatmydata1"}},
		}, requests...),
	}
}

func TestAptResolves(t *testing.T) {
	w := testworld.New(t)
	own := w.Debian(testworld.DebianOptions{Path: "own", Flat: true},
		testworld.Deb{Name: "lamina-test", Version: "1:2.0~rc1+b1", Architecture: "amd64", Fields: []string{"Depends: libgomp1"}},
		testworld.Deb{Name: "lamina-test", Version: "1:1.0", Architecture: "amd64"},
		testworld.Deb{Name: "lamina-other", Fields: []string{"Provides: lamina-virtual"}})
	o := requirement(t, own)
	o.Client = enginetest.Client(t)
	o.Mirrors = debian.Merge(testworld.RealMirrors(t), o.Mirrors)
	repositories := o.Requirements.Repositories
	o.Requirements = debianRequirements(
		lock.Request{Set: lock.ParseSet("builder"), Packages: []string{"g++", "lamina-virtual", "python3-dev"}},
		lock.Request{Set: lock.ParseSet("extra@debug"), Packages: []string{"apt", "gdb"}},
		lock.Request{Set: lock.ParseSet("runtime"), Packages: []string{"lamina-test", "python3-numpy"}},
	)
	o.Requirements.Repositories = repositories
	start := time.Now()
	first, err := apt.Lock(t.Context(), o)
	if err != nil {
		t.Fatal(err, failure.Hints(err))
	}
	t.Logf("cold: %v", time.Since(start))
	checkLock(t, first, o)

	start = time.Now()
	again, err := apt.Lock(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("again: %v", time.Since(start))
	if string(first.Format()) != string(again.Format()) {
		t.Error("the same indexes gave another lock")
	}

	var notes []string
	var mu sync.Mutex
	o.Getter.HTTP = fetch.New(fetch.Options{Transport: unplugged{}})
	o.Progress = func(s string) {
		mu.Lock()
		defer mu.Unlock()
		notes = append(notes, s)
	}
	offline, err := apt.Lock(t.Context(), o)
	if err != nil {
		t.Fatalf("without a network: %v", err)
	}
	if string(first.Format()) != string(offline.Format()) {
		t.Error("the cache gave another lock")
	}
	if !strings.Contains(strings.Join(notes, "\n"), "using the copy that was fetched last") {
		t.Errorf("no note about the missing network: %q", notes)
	}
	left, err := filepath.Glob(filepath.Join(o.Getter.CacheDir, ".resolve*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

// unplugged is a missing network.
type unplugged struct{}

func (unplugged) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("network is unreachable")
}

func checkLock(t *testing.T, l lock.Lock, o apt.Options) {
	t.Helper()
	if _, err := lock.Parse("image.lock", l.Format()); err != nil {
		t.Error(err)
	}
	if drift := l.Drift(o.Requirements); len(drift) > 0 {
		t.Errorf("it does not answer the requirements: %q", drift)
	}
	if drift := apt.Drift(o.Requirements, l); len(drift) > 0 {
		t.Errorf("it drifts from its requirements: %q", drift)
	}
	if len(l.Releases) != 4 {
		t.Errorf("got %d releases, want 4", len(l.Releases))
	}
	for _, r := range l.Releases {
		if !slices.ContainsFunc(l.Indexes, func(i lock.Index) bool { return i.Repository == r.Repository && i.Suite == r.Suite && i.Size > 0 }) {
			t.Errorf("the lists of %s %s that were read are not recorded", r.Repository, r.Suite)
		}
	}
	for _, tc := range []struct {
		name string
		sets string
	}{
		{"base-files", "base builder runtime"},
		{"apt", "extra@debug"}, // only in a set that requests it
		{"libc6", "base builder runtime"},
		{"busybox-static", "bootstrap"},
		{"libeatmydata1", "bootstrap"},
		{"g++", "builder"},
		{"gdb", "extra@debug"},
		{"python3-numpy", "runtime"},
		{"libgomp1", "builder runtime"},
		{"lamina-test", "runtime"},
		{"lamina-other", "builder"},
	} {
		p, ok := lock.Find(l.Packages, tc.name)
		if got := strings.Trim(fmt.Sprint(p.For), "[]"); !ok || got != tc.sets {
			t.Errorf("%s: got it for %q, want %q", tc.name, got, tc.sets)
		}
	}
	if want := []lock.Provision{{Name: "lamina-virtual", By: "lamina-other"}}; !slices.Equal(l.Provided, want) {
		t.Errorf("names stand for %v, want %v", l.Provided, want)
	}
	without := l
	without.Provided = nil
	if got := apt.Drift(o.Requirements, without); len(got) != 1 || got[0] != "builder: lamina-virtual is not locked" {
		t.Errorf("without the provider it drifts from its requirements: %q", got)
	}
	p, _ := lock.Find(l.Packages, "lamina-test")
	if p.Version != "1:2.0~rc1+b1" || p.Repository != "test" || p.Path != "pool/main/l/lamina-test/lamina-test_2.0~rc1+b1_amd64.deb" {
		t.Errorf("got %+v, want the newer one of the repository", p)
	}
	if slices.ContainsFunc(l.In("extra", "debug"), func(p lock.Package) bool { return slices.Contains(p.For, lock.Set{Kind: lock.SetRuntime}) }) {
		t.Error("an extra package is in the runtime as well")
	}
}

func TestAptsExplanationIsShown(t *testing.T) {
	w := testworld.New(t)
	own := w.Debian(testworld.DebianOptions{Path: "own"},
		testworld.Deb{Name: "lamina-test", Fields: []string{"Depends: lamina-missing (>= 3)"}})
	o := requirement(t, own)
	o.Client = enginetest.Client(t)
	o.Mirrors = debian.Merge(testworld.RealMirrors(t), o.Mirrors)
	repositories := o.Requirements.Repositories
	o.Requirements = debianRequirements(lock.Request{Set: lock.ParseSet("runtime"), Packages: []string{"lamina-test"}})
	o.Requirements.Repositories = repositories
	_, err := apt.Lock(t.Context(), o)
	said := fmt.Sprint(err)
	if failure.KindOf(err) != failure.Usage || !strings.Contains(said, "runtime: apt can't install lamina-test") ||
		!strings.Contains(said, "lamina-test : Depends: lamina-missing (>= 3)") {
		t.Errorf("got %v (kind %d), want what apt says", err, failure.KindOf(err))
	}
	if strings.Contains(said, "base:") || strings.Contains(said, "Reading package lists") {
		t.Errorf("got %v, want only the problem", err)
	}
}
