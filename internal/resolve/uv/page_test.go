package uv

import (
	"testing"

	"lamina.build/lock"
)

// The page that a version was chosen from is recorded: as it passed the door, as requested
// if uv had it cached, or as before if the version stays.
func TestPagesAreRecorded(t *testing.T) {
	data := wheelOf(t, "my-pkg", "1.0")
	first, second := link(wheelPath, sumOf(data)), link(wheelPath, sumOf(data))+link("/f/my_pkg-0.9-py3-none-any.whl", sumOf(nil))
	x := newIndex(t)
	x.put(wheelPath, data)
	recorded := func(text string) lock.Page {
		return lock.Page{Index: x.URL + "/simple", Project: "my-pkg", Size: int64(len(text)), SHA256: sumOf([]byte(text))}
	}
	complete := func(page string, came ...string) (lock.Page, lock.Distribution) {
		t.Helper()
		x.page("my-pkg", page)
		d := x.opened(t, came...).chosen("my-pkg", "1.0", wheelPath, "sha256:"+sumOf(data))
		if err := x.complete(t, d); err != nil {
			t.Fatal(err)
		}
		return d.page, d.entry()
	}
	page, entry := complete(first, "/simple/my-pkg/")
	equal(t, "a page that passed the door", page, recorded(first))
	page, _ = complete(first)
	equal(t, "a page that uv had kept", page, recorded(first))

	x.o.Before = lock.Lock{Distributions: []lock.Distribution{entry}}
	page, _ = complete(second)
	equal(t, "a page that a lock of an earlier format doesn't have", page, recorded(second))
	x.o.Before.Pages = []lock.Page{recorded(first)}
	page, _ = complete(second, "/simple/my-pkg/")
	equal(t, "the page of a version that stays", page, recorded(first))
	for _, up := range []Upgrade{{All: true}, {Packages: []string{"my-pkg"}}} {
		x.o.Upgrade = up
		page, _ = complete(second, "/simple/my-pkg/")
		equal(t, "the page of a version that was to be upgraded", page, recorded(second))
	}
	x.o.Upgrade, x.o.Before.Distributions[0].SHA256 = Upgrade{}, sumOf(nil)
	page, _ = complete(second, "/simple/my-pkg/")
	equal(t, "the page of another file", page, recorded(second))
	x.o.Before, x.r.Lock = lock.Lock{}, "pylock.toml"
	page, _ = complete(second, "/simple/my-pkg/")
	equal(t, "the page of a file that a lock of the user names", page, lock.Page{})
}

// Pages of several answers are recorded once.
func TestPagesOfALockAreSortedAndOnce(t *testing.T) {
	a, b := lock.Page{Index: "https://i.example", Project: "a", SHA256: sumOf([]byte("a"))}, lock.Page{Index: "https://i.example", Project: "b", SHA256: sumOf([]byte("b"))}
	dist := func(p lock.Page) *distribution {
		return &distribution{Name: p.Project, Version: "1", Kind: kindWheel, Index: p.Index, page: p, wheel: &wheel{}}
	}
	var l lock.Lock
	one := answer{Distributions: []*distribution{dist(b), dist(a)}, Builds: map[string][]*distribution{"b": {dist(a)}}}
	fill(&l, Options{Requests: []Request{{Set: lock.ParseSet("python")}, {Set: lock.ParseSet("python@v")}}}, []answer{one, one})
	equal(t, "pages", l.Pages, []lock.Page{a, b})
}
