package uv

import (
	"maps"
	"path/filepath"
	"strings"
	"testing"

	"lamina.build/internal/failure"
	"lamina.build/internal/resolve/reqfile"
	"lamina.build/lock"
)

// A file from an unnamed index is accepted if a named one has it, too.
func TestFilesOfAnIndexThatNobodyNames(t *testing.T) {
	s := newSite(t)
	r := Request{Set: lock.Set{Kind: lock.SetPython}}
	l := lock.Lock{Distributions: []lock.Distribution{dist("a", "1.0", "a-1.0-py3-none-any.whl", "python"), dist("b", "1.0", "b-1.0-py3-none-any.whl", "build:x")}}
	for i := range l.Distributions {
		l.Distributions[i].Index, l.Distributions[i].URL = "https://then.example/simple", "https://then.example/"+l.Distributions[i].File
	}
	where := Indexes{Default: s.URL + "/simple", Further: []string{s.URL + "/more"}}
	list := Doubtful([]Request{r}, l, where)
	if len(list) != 2 {
		t.Fatalf("got %+v", list)
	}
	w := Witness{Client: quick(), Dir: filepath.Join(t.TempDir(), "named")}
	a, b := l.Distributions[0], l.Distributions[1]
	s.put("/more/b/", []byte(link("/x/"+b.File, b.SHA256)))
	for _, page := range []string{"", link("/x/"+a.File, ""), link("/x/"+a.File, sumOf([]byte("other"))), link("/x/other-1.0.whl", a.SHA256)} {
		s.put("/simple/a/", []byte(page))
		_, err := w.Confirm(t.Context(), list)
		if failure.KindOf(err) != failure.Findings || len(failure.Hints(err)) != 1 || strings.Contains(err.Error(), "b 1.0") ||
			!strings.Contains(err.Error(), "a 1.0: from the index https://then.example/simple, which neither") {
			t.Errorf("got %v (kind %d)", err, failure.KindOf(err))
		}
	}
	s.put("/simple/a/", []byte(link("/x/"+a.File, a.SHA256)))
	found, err := w.Confirm(t.Context(), list)
	if want := map[string]string{a.SHA256: s.URL + "/x/" + a.File, b.SHA256: s.URL + "/x/" + b.File}; err != nil || !maps.Equal(found, want) {
		t.Errorf("found %v, %v", found, err)
	}
	// They are fetched from there, and uv from its pinned address.
	l.Platform, l.UV = "linux/amd64", lock.UV{URL: "http://then.example/delete?x=/uv.whl"}
	believed := Believed(l, found, []string{s.URL + "/simple"})
	if believed.Distributions[0].URL != found[a.SHA256] || l.Distributions[0].URL == found[a.SHA256] || hostOf(believed.UV.URL) != pypiFiles {
		t.Errorf("believed are %+v and %+v", believed.Distributions, believed.UV)
	}
	if l.UV.URL = s.URL + "/uv.whl"; Believed(l, nil, []string{s.URL + "/simple"}).UV.URL != l.UV.URL {
		t.Error("uv is not taken from the index")
	}
	if named := Doubtful([]Request{r}, l, Indexes{Default: "https://then.example/simple/"}); len(named) > 0 {
		t.Errorf("where it is named: %+v", named)
	}
}

// The index of a file on another server must list it: it is asked once.
func TestFilesOnAnotherServer(t *testing.T) {
	s, other := newSite(t), newSite(t)
	r := Request{Set: lock.Set{Kind: lock.SetPython}, Files: reqfile.Set{IndexURL: s.URL + "/simple", FindLinks: []string{s.URL + "/links.html"}}}
	l := lock.Lock{Distributions: []lock.Distribution{
		dist("a", "1.0", "a-1.0-py3-none-any.whl", "python"), dist("b", "1.0", "b-1.0-py3-none-any.whl", "python"),
		dist("near", "1.0", "near-1.0-py3-none-any.whl", "python"), dist("pypi", "1.0", "pypi-1.0-py3-none-any.whl", "python"),
	}}
	for i := range l.Distributions {
		l.Distributions[i].Index, l.Distributions[i].URL = s.URL+"/simple", other.URL+"/"+l.Distributions[i].File
	}
	l.Distributions[1].Index = s.URL + "/links.html"
	l.Distributions[2].URL = s.URL + "/f/near-1.0-py3-none-any.whl"
	l.Distributions[3].URL = "https://" + pypiFiles + "/packages/pypi-1.0-py3-none-any.whl"
	list := Doubtful([]Request{r}, l, Indexes{Default: DefaultIndex})
	if len(list) != 2 || list[0].Name != "a" || list[1].Name != "b" {
		t.Fatalf("got %+v", list)
	}
	w := Witness{Client: quick(), Dir: filepath.Join(t.TempDir(), "named")}
	a, b := l.Distributions[0], l.Distributions[1]
	for _, page := range []string{link(other.URL+"/other.whl", a.SHA256), link(a.URL, sumOf([]byte("altered")))} {
		s.put("/simple/a/", []byte(page))
		s.put("/links.html", []byte(link(b.URL, "")))
		_, err := w.Confirm(t.Context(), list)
		if failure.KindOf(err) != failure.Findings || !strings.Contains(err.Error(), "a 1.0: "+s.URL+"/simple doesn't list "+a.URL) {
			t.Errorf("got %v (kind %d)", err, failure.KindOf(err))
		}
	}
	s.put("/simple/a/", []byte(link(a.URL, a.SHA256)))
	if _, err := w.Confirm(t.Context(), list); err != nil {
		t.Error(err)
	}
	s.Close()
	if _, err := w.Confirm(t.Context(), list); err != nil || s.times("/links.html") != 1 {
		t.Errorf("it is asked again: %v, %q", err, s.asked)
	}
	list[0].URL += "x" // another claim
	if _, err := w.Confirm(t.Context(), list); failure.KindOf(err) != failure.Transient {
		t.Errorf("where nobody is there: %v (kind %d)", err, failure.KindOf(err))
	}
}
