package debian_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lamina.build/internal/debian"
	"lamina.build/internal/test/testworld"
)

// Cached data of an index is checked each time, and made again if it changed.
func TestWhatIsKeptOfAnIndexIsMadeAnew(t *testing.T) {
	t.Parallel()
	d := testworld.New(t).Debian(testworld.DebianOptions{},
		testworld.Deb{Name: "hello", Fields: []string{"Provides: greeting"}}, testworld.Deb{Name: "hello", Version: "2.0"}, testworld.Deb{Name: "world"},
		testworld.Deb{Name: "odd", Fields: []string{"Depends: hello\t(>= 1), hello\tworld"}})
	g := getter(t)
	whole := func() []string {
		t.Helper()
		x, err := index(t, g, d)
		if err != nil {
			t.Fatal(err)
		}
		return append(x.Providers("greeting"), fmt.Sprint(x.Candidates("hello")), fmt.Sprint(x.Candidates("gone")), fmt.Sprint(x.Candidates("world")))
	}
	want := []string{"hello", "[hello 1.0 hello 2.0]", "[]", "[world 1.0]"}
	if diff := cmp.Diff(want, whole()); diff != "" {
		t.Fatalf("(-want +got)\n%s", diff)
	}
	tables, err := filepath.Glob(filepath.Join(g.CacheDir, "derived", "table*"))
	if err != nil || len(tables) != 1 {
		t.Fatalf("got the tables %q, %v", tables, err)
	}
	texts := plainIndexes(t, g)
	if len(texts) != 1 {
		t.Fatalf("got the unpacked indexes %q", texts)
	}
	for _, name := range []string{tables[0], texts[0]} {
		right, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for says, corrupted := range map[string][]byte{
			"empty": {}, "torn": right[:len(right)/2], "longer": append(bytes.Clone(right), '\n'),
			"altered": bytes.Replace(right, []byte("hello"), []byte("hullo"), 1),
		} {
			if err := os.WriteFile(name, corrupted, 0o600); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, whole()); diff != "" {
				t.Errorf("%s, %s: (-want +got)\n%s", filepath.Base(name), says, diff)
			}
			if now, err := os.ReadFile(name); err != nil || !bytes.Equal(now, right) {
				t.Errorf("%s, %s: it is not what it was, %v", filepath.Base(name), says, err)
			}
		}
	}
}

// plainIndexes returns the unpacked Packages files in the cache.
func plainIndexes(t *testing.T, g *debian.Getter) (found []string) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(g.CacheDir, "sha256", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.HasPrefix(data, []byte("Package: ")) {
			found = append(found, name)
		}
	}
	return found
}

// A part has the requested packages with everything that they may ever need, as in the index.
func TestAPartHasAllThatMayBeNeeded(t *testing.T) {
	t.Parallel()
	x, err := index(t, getter(t), testworld.New(t).Debian(testworld.DebianOptions{},
		testworld.Deb{Name: "asked", Fields: []string{"Description: of no\n use", "Pre-Depends: early (>= 1)", "Depends: one (>= 1:0) | other:any, virtual", "Recommends: recommended", "Conflicts: enemy"}},
		testworld.Deb{Name: "asked", Version: "2.0", Fields: []string{"Depends: later"}},
		testworld.Deb{Name: "base", Essential: true, Fields: []string{"Depends: of-base"}},
		testworld.Deb{Name: "early"}, testworld.Deb{Name: "one"}, testworld.Deb{Name: "other"}, testworld.Deb{Name: "later"}, testworld.Deb{Name: "of-base"},
		testworld.Deb{Name: "provider", Fields: []string{"Provides: virtual (= 1)"}},
		testworld.Deb{Name: "provider", Version: "2.0", Fields: []string{"Depends: of-provider"}}, testworld.Deb{Name: "of-provider"},
		testworld.Deb{Name: "recommended"}, testworld.Deb{Name: "enemy"}, testworld.Deb{Name: "idle", Fields: []string{"Depends: asked"}},
	))
	if err != nil {
		t.Fatal(err)
	}
	part := x.Part("asked", "unknown")
	var got []string
	for _, p := range part.All() {
		got = append(got, p.String())
		if found := part.At("debian", p.Filename); len(found) != 1 || found[0] != p {
			t.Errorf("%s: got %v at its path", p, found)
		}
	}
	want := []string{
		"asked 1.0", "asked 2.0", "base 1.0", "early 1.0", "one 1.0", "other 1.0", "later 1.0", "of-base 1.0", "provider 1.0", "provider 2.0", "of-provider 1.0",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	text := string(part.Text(0))
	if order := "\nEnhances: asked, early, one, virtual, later, base, of-base, other, provider, of-provider\n"; !strings.Contains(text, order) {
		t.Errorf("the names are not in the order in which apt reads them, %q:\n%s", order, text)
	}
	for _, says := range []string{"\nDepends: one (>= 1:0) | other:any, virtual\nRecommends: recommended\nConflicts: enemy\n", "SHA256: "} {
		if !strings.Contains(text, says) {
			t.Errorf("%q is not in:\n%s", says, text)
		}
	}
	for _, says := range []string{"of no", " use", "Package: idle", "\n\n\n"} {
		if strings.Contains(text, says) {
			t.Errorf("%q is in:\n%s", says, text)
		}
	}
}
