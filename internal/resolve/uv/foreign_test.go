package uv

import (
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"lamina.build/internal/failure"
	"lamina.build/internal/resolve/requirements"
	"lamina.build/lock"
)

// A file on another server than its index is one that the index names: it is asked, once.
func TestForeignFiles(t *testing.T) {
	s, other := newSite(t), newSite(t)
	r := Request{Set: lock.Set{Kind: lock.SetPython}, Files: requirements.Set{IndexURL: s.URL + "/simple", FindLinks: []string{s.URL + "/links.html"}}}
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
	list := ForeignIn([]Request{r}, l, Indexes{Default: DefaultIndex}, fstest.MapFS{})
	if len(list) != 2 || list[0].Name != "a" || list[1].Name != "b" {
		t.Fatalf("got %+v", list)
	}
	w := Witness{Client: quick(), Dir: filepath.Join(t.TempDir(), "named")}
	a, b := l.Distributions[0], l.Distributions[1]
	for _, page := range []string{link(other.URL+"/other.whl", a.SHA256), link(a.URL, sumOf([]byte("altered")))} {
		s.put("/simple/a/", []byte(page))
		s.put("/links.html", []byte(link(b.URL, "")))
		err := w.Confirm(t.Context(), list)
		if failure.KindOf(err) != failure.Findings || !strings.Contains(err.Error(), "a 1.0: "+s.URL+"/simple/a/ doesn't name "+a.URL) {
			t.Errorf("got %v (kind %d)", err, failure.KindOf(err))
		}
	}
	s.put("/simple/a/", []byte(link(a.URL, a.SHA256)))
	if err := w.Confirm(t.Context(), list); err != nil {
		t.Error(err)
	}
	s.Close()
	if err := w.Confirm(t.Context(), list); err != nil || s.times("/links.html") != 1 {
		t.Errorf("it is asked again: %v, %q", err, s.asked)
	}
	list[0].URL += "x" // another claim
	if err := w.Confirm(t.Context(), list); failure.KindOf(err) != failure.Transient {
		t.Errorf("where nobody is there: %v (kind %d)", err, failure.KindOf(err))
	}
}
