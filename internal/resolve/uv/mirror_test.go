package uv

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lamina.build/lock"
)

const upstream = "https://pypi.example/simple"

// mirrored returns a lock of three projects of an index, one of another, and uv.
func mirrored() lock.Lock {
	list := []lock.Distribution{dist("a", "1.0", "a-1.0.whl", "python"), dist("b", "1.0", "b-1.0.tar.gz", "python"), dist("c", "1.0", "c-1.0.whl", "python"), dist("own", "1.0", "own-1.0.whl", "python"), dist("beside", "1.0", "beside-1.0.whl", "python")}
	for i := range list[:3] {
		list[i].Index = upstream
	}
	list[3].Index = "https://own.example"
	return lock.Lock{Distributions: list, UV: lock.UV{Version: "1", File: "uv-1.whl", SHA256: sumOf([]byte("uv"))}}
}

// link returns a line of an index page.
func link(path, sum string) string {
	if sum != "" {
		sum = "#sha256=" + sum
	}
	return `<a href="` + path + sum + `">` + filepath.Base(path) + "</a>\n"
}

func TestMirrored(t *testing.T) {
	s, l := newSite(t), mirrored()
	s.put("/simple/a/", []byte(link("/f/a-1.0.whl", sumOf([]byte("a-1.0.whl")))+link("/f/a-2.0.whl", sumOf([]byte("other")))))
	s.put("/simple/b/", []byte(link("/f/b-1.0.tar.gz", sumOf([]byte("altered")))+link("/g/b-1.0-renamed.tar.gz", l.Distributions[1].SHA256)))
	s.put("/simple/own/", []byte(link("/f/own-1.0.whl", l.Distributions[3].SHA256)))
	s.put("/simple/beside/", []byte(link("/f/beside-1.0.whl", l.Distributions[4].SHA256)))
	s.put("/simple/uv/", []byte(link("/f/uv-1.whl", "")))
	var told notebook
	o := Mirror{Client: quick(), Index: s.URL + "/simple", Named: []string{"https://own.example"}, Dir: filepath.Join(t.TempDir(), "mirrors"), Note: told.note}
	// Another name or sha256 means another file; c is missing.
	want := map[string]string{l.Distributions[0].SHA256: s.URL + "/f/a-1.0.whl", l.UV.SHA256: s.URL + "/f/uv-1.whl"}
	err := o.Find(t.Context(), l)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "files", o.Has, want)
	for _, path := range []string{"/simple/own/", "/simple/beside/"} {
		if s.times(path) > 0 {
			t.Errorf("%s was asked for", path)
		}
	}
	equal(t, "notes", told.told, nil)

	// Files that were found are not looked up again.
	if err = o.Find(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	equal(t, "files, again", o.Has, want)
	if s.times("/simple/a/") != 1 || s.times("/simple/uv/") != 1 || s.times("/simple/c/") != 2 {
		t.Errorf("asked for %q", s.asked)
	}
	if err = o.Forget(l.UV.SHA256); err != nil {
		t.Fatal(err)
	}
	if err = o.Find(t.Context(), l); err != nil || s.times("/simple/a/") != 1 || s.times("/simple/uv/") != 2 {
		t.Errorf("with a file forgotten: %v, %v, asked for %q", o.Has, err, s.asked)
	}
	s.Close()
	l.Distributions = l.Distributions[:1]
	if err = o.Find(t.Context(), l); err != nil || o.Has[l.Distributions[0].SHA256] == "" {
		t.Errorf("with all known, and nobody there: %v, %v", o.Has, err)
	}
	equal(t, "notes", told.told, nil)
}

func TestMirrorsThatAreDown(t *testing.T) {
	s := newSite(t)
	for _, project := range []string{"a", "b", "c", "own", "uv"} {
		s.status("/simple/"+project+"/", http.StatusBadGateway)
	}
	var told notebook
	o := Mirror{Client: quick(), Index: s.URL + "/simple", Dir: t.TempDir(), Note: told.note}
	err := o.Find(t.Context(), mirrored())
	if err != nil || len(o.Has) > 0 {
		t.Errorf("got %v, %v", o.Has, err)
	}
	if len(told.told) != 1 || !strings.Contains(told.told[0], "502") || !strings.HasSuffix(told.told[0], "; files are fetched from their locked addresses") {
		t.Errorf("notes are %q", told.told)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := o.Find(ctx, mirrored()); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestMirrorsThatLeadElsewhere(t *testing.T) {
	s := newSite(t)
	for _, project := range []string{"a", "b", "c", "own", "uv"} {
		s.pages["/simple/"+project+"/"] = http.RedirectHandler("http://metadata.google.internal/", http.StatusFound).ServeHTTP
	}
	var told notebook
	o := Mirror{Client: quick(), Index: s.URL + "/simple", Dir: t.TempDir(), Note: told.note}
	if err := o.Find(t.Context(), mirrored()); err != nil || len(told.told) != 1 || !strings.Contains(told.told[0], "contacting metadata.google.internal: ") {
		t.Errorf("notes are %q, %v", told.told, err)
	}
}

func TestWhatIsNoMirror(t *testing.T) {
	s := newSite(t)
	for name, o := range map[string]Mirror{
		"the index itself":     {Index: upstream, Named: []string{"https://own.example"}},
		"all named by a spec":  {Index: s.URL, Named: []string{"https://own.example", upstream}},
		"an index of the spec": {Index: s.URL, Named: []string{s.URL}},
	} {
		t.Run(name, func(t *testing.T) {
			o.Client, o.Dir = quick(), t.TempDir()
			err := o.Find(t.Context(), mirrored())
			if o.Has != nil || err != nil || len(s.asked) > 0 {
				t.Errorf("got %v, %v; asked for %q", o.Has, err, s.asked)
			}
		})
	}
}

func TestMirrorsWithACorruptedCache(t *testing.T) {
	s, l := newSite(t), mirrored()
	l.Distributions, l.UV = l.Distributions[:1], lock.UV{}
	s.put("/simple/a/", []byte(link("/f/a-1.0.whl", l.Distributions[0].SHA256)))
	o := Mirror{Client: quick(), Index: s.URL + "/simple", Dir: t.TempDir()}
	if err := os.WriteFile(o.path(), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := o.Find(t.Context(), l)
	if err != nil || o.Has[l.Distributions[0].SHA256] != s.URL+"/f/a-1.0.whl" {
		t.Errorf("got %v, %v", o.Has, err)
	}
}
