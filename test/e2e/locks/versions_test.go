package locks

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lamina.build/internal/test/e2etest"
	"lamina.build/internal/test/testworld"
)

// Versions stay until the spec forbids them or the user upgrades them.
func TestRealVersionsStay(t *testing.T) {
	t.Parallel()
	u := e2etest.NewUser(t)
	x := e2etest.PureIndex(t, testworld.IndexOptions{JSON: true},
		testworld.Sdist{Name: "gamma", BuildRequires: []string{"worldbackend"}, Backend: "worldbackend", Requires: []string{"beta"}})
	dir := e2etest.Needs(t, "--index-url "+x.URL, "alpha", "gamma")
	name := filepath.Join(dir, "image.lock")
	first := func() string {
		t.Helper()
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	check := func(want []string, args ...string) {
		t.Helper()
		u.Build(t, append(args, dir)...)
		l := e2etest.ReadLock(t, dir)
		if diff := cmp.Diff(want, append(e2etest.Titles(l), e2etest.BuildTitles(l, "gamma")...)); diff != "" {
			t.Errorf("%v locks (-want +got):\n%s", args, diff)
		}
	}
	check([]string{"alpha 1.0", "beta 2.1", "gamma 1.0", "worldbackend 1.0"}, "lock")
	before := first()
	twin := e2etest.Needs(t, "--index-url "+x.URL, "alpha", "gamma")
	u.Build(t, "lock", twin)
	if text, err := os.ReadFile(filepath.Join(twin, "image.lock")); err != nil || string(text) != before {
		t.Errorf("two locks of one state (-first +second), %v:\n%s", err, cmp.Diff(before, string(text)))
	}
	var pages []string
	for _, p := range e2etest.ReadLock(t, dir).Pages {
		pages = append(pages, strings.TrimPrefix(p.URL(), x.URL))
	}
	if diff := cmp.Diff([]string{"/alpha/", "/beta/", "/gamma/", "/worldbackend/"}, pages); diff != "" {
		t.Errorf("the pages that it was made from (-want +got):\n%s", diff)
	}
	backend := testworld.Backend()
	backend.Version = "2.0"
	x.Publish(testworld.Wheel{Name: "alpha", Version: "2.0", Requires: []string{"beta"}}, testworld.Wheel{Name: "beta", Version: "3.0"}, backend)
	check([]string{"alpha 1.0", "beta 2.1", "gamma 1.0", "worldbackend 1.0"}, "lock")
	if diff := cmp.Diff(before, first()); diff != "" {
		t.Errorf("a lock without a reason to change (-before +after):\n%s", diff)
	}
	check([]string{"alpha 1.0", "beta 3.0", "gamma 1.0", "worldbackend 1.0"}, "lock", "--upgrade-package", "Beta")
	x.Publish(testworld.Wheel{Name: "beta", Version: "4.0"})
	e2etest.Edit(t, filepath.Join(dir, "requirements.txt"), "alpha", "alpha>=2")
	check([]string{"alpha 2.0", "beta 3.0", "gamma 1.0", "worldbackend 1.0"}, "lock")

	// A lock in the first format is read for its versions, but no build accepts it.
	e2etest.Write(t, name, e2etest.FormatOne(e2etest.ReadLock(t, dir)))
	u.Fails(t, 3, []string{"hint: ", "\"build lock " + dir + "\" to convert it"}, dir)
	u.Fails(t, 3, nil, "lock", "--check", dir)
	check([]string{"alpha 2.0", "beta 3.0", "gamma 1.0", "worldbackend 1.0"}, "lock")

	check([]string{"alpha 2.0", "beta 4.0", "gamma 1.0", "worldbackend 2.0"}, "lock", "--upgrade")
}
