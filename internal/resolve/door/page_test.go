package door_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lamina.build/internal/failure"
	"lamina.build/internal/resolve/door"
	"lamina.build/lock"
)

func TestPages(t *testing.T) {
	one := door.File{
		Index: "pypi", Project: "a-b", URL: "https://files.example.com/a_b-1%2Bcu1.whl", Name: "a_b-1+cu1.whl",
		Hashes: map[string]string{"sha256": "0a"}, RequiresPython: ">=3.8,<4", HasMetadata: true, MetadataHashes: map[string]string{"sha256": "0b"},
	}
	two := door.File{
		Index: "pypi", Project: "a-b", URL: "https://pypi.example.com/packages/a-b-2.tar.gz", Name: "a-b-2.tar.gz",
		Yanked: true, YankedReason: "broken",
	}
	tests := []struct{ name, page string }{
		{"HTML", `<!DOCTYPE html><html><head><base href="https://files.example.com/"></head><body>
			<a href="a_b-1%2Bcu1.whl#sha256=0a" data-requires-python="&gt;=3.8,&lt;4" data-core-metadata="sha256=0b">a_b</a><br>
			<A HREF='https://pypi.example.com/packages/a-b-2.tar.gz' data-yanked="broken">a-b</A>
			<a>nothing</a><a href="ftp://x/y.whl">y</a><a href="../">up</a><!-- <a href="z.whl"> -->`},
		{"JSON", `{"meta": {"api-version": "1.1"}, "name": "a-b", "files": [
			{"url": "https://files.example.com/a_b-1%2Bcu1.whl", "filename": "a_b-1+cu1.whl", "hashes": {"SHA256": "0A"}, "requires-python": ">=3.8,<4", "core-metadata": {"sha256": "0b"}, "yanked": false},
			{"url": "/packages/a-b-2.tar.gz", "filename": "a-b-2.tar.gz", "hashes": {}, "requires-python": null, "dist-info-metadata": false, "yanked": "broken"},
			{"url": "file:///etc/passwd", "filename": "x", "hashes": {}}]}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.host("pypi.example.com", projects(map[string]string{"a-b": tt.page}))
			w.host("files.example.com", text("content"))
			d := open(t, door.Options{Client: w.client, Indexes: []door.Index{{Name: "pypi", URL: pypi + "/"}}})
			if a := get(t, d, one.URL); a.err == nil {
				t.Errorf("before: got %+v", a)
			}
			if a := get(t, d, pypi+"/a-b/", "If-None-Match: x", "Range: bytes=0-1"); a.body != tt.page {
				t.Errorf("got %+v", a)
			}
			if r := w.requests("pypi.example.com")[0]; r.Header.Get("If-None-Match") != "" || r.Header.Get("Range") != "" {
				t.Errorf("asked with %v", r.Header)
			}
			if diff := cmp.Diff(map[string]door.File{one.URL: one, two.URL: two}, d.Files()); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
			if f, ok := d.File("https://files.example.com/a_b-1+cu1.whl#x"); !ok || f.Name != one.Name {
				t.Errorf("got %+v", f)
			}
			want := lock.Page{Index: "pypi", Project: "a-b", Size: int64(len(tt.page)), SHA256: sum(tt.page)}
			if page, ok := d.Page("pypi", "a-b"); !ok || page != want {
				t.Errorf("the page is %+v, want %+v", page, want)
			}
			get(t, d, one.URL)
			if seen := d.Seen(); len(seen) != 2 || seen[0].Index != "pypi" || seen[1].Index != "pypi" {
				t.Errorf("seen %+v", seen)
			}
		})
	}
}

func TestFlatPages(t *testing.T) {
	w := newWorld(t)
	w.host("own.example.com", projects(map[string]string{"": `<a href="https://files.example.com/a-1.whl">a</a>`, "a": `<a href="https://evil.example.com/a-1.whl">a</a>`}))
	w.host("files.example.com", text("content"))
	d := open(t, door.Options{Client: w.client, Indexes: []door.Index{{Name: "own", URL: own, Flat: true}}})
	get(t, d, own+"/")
	get(t, d, own+"/a/")
	if a := get(t, d, "https://files.example.com/a-1.whl"); a.body != "content" || len(d.Files()) != 1 {
		t.Errorf("got %+v, files %v", a, d.Files())
	}
}

// PyTorch's files are where other indexes have projects.
func TestFilesNextToProjects(t *testing.T) {
	w := newWorld(t)
	w.host("own.example.com", func(rw http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, ".whl") {
			io.WriteString(rw, "content")
			return
		}
		projects(map[string]string{"a": `<a href="/simple/a-1%2Bcu1.whl#sha256=` + sum("content") + `">a</a>`})(rw, r)
	})
	d := open(t, door.Options{Client: w.client, Indexes: []door.Index{{Name: "own", URL: own, Packages: []string{"a"}}}})
	get(t, d, own+"/a/")
	if a := get(t, d, own+"/a-1%2Bcu1.whl"); a.body != "content" || len(d.Problems()) != 0 {
		t.Errorf("got %+v, problems %q", a, problems(d))
	}
}

func TestFlatPagesHideWhatIsBoundElsewhere(t *testing.T) {
	links := `<base href="https://files.example.com/"><a href="torch-1-cp311.whl#sha256=0a" data-requires-python="&gt;=3" data-yanked="&quot;bad&quot;" data-core-metadata="sha256=0b">torch</a>
		<a href="numpy-1.tar.gz" data-core-metadata="true">torch-1</a><a href="my-own-tool-1.tar.gz">x</a>
		<a href="a-2.tar.gz">x</a><a href="A.3-1.zip">x</a><a href="b_3-1-cp311.whl">x</a><a href="b-view-1.tar.gz">x</a><a href="b-v2.tar.gz">x</a><script><a href="numpy-2.whl">x</a></script>`
	w := newWorld(t)
	w.host("own.example.com", projects(map[string]string{"": links}))
	d := open(t, door.Options{Client: w.client, Indexes: []door.Index{
		{Name: "own", URL: own, Flat: true}, {Name: "pypi", URL: pypi, Packages: []string{"torch", "My_own.tool", "a-3", "b"}},
	}})
	a := get(t, d, own)
	at, _ := url.Parse(own)
	got := map[string]door.File{}
	var names []string
	for _, f := range door.ParseHTML(at, []byte(a.body)) {
		names = append(names, f.Name)
		f.Index = "own"
		got[f.URL] = f
	}
	slices.Sort(names)
	if strings.Join(names, " ") != "a-2.tar.gz b-view-1.tar.gz b_3-1-cp311.whl numpy-1.tar.gz" || strings.Contains(a.body, "script") {
		t.Errorf("got %q from %s", names, a.body)
	}
	if diff := cmp.Diff(d.Files(), got); diff != "" {
		t.Errorf("the page and the files (-files +page):\n%s", diff)
	}
}

func TestHTTPIsNotForPagesOfHTTPS(t *testing.T) {
	w := newWorld(t)
	w.host("pypi.example.com", projects(map[string]string{"a": `<a href="http://files.example.com/a.whl">a</a>`}))
	d := open(t, door.Options{Client: w.client, Indexes: []door.Index{{Name: "pypi", URL: pypi}}})
	get(t, d, pypi+"/a/")
	a := get(t, d, "http://files.example.com/a.whl")
	if a.code != http.StatusForbidden || !strings.Contains(a.body, "pypi.example.com, which names it, uses https, but it uses http") {
		t.Errorf("got %+v", a)
	}
}

func TestPagesThatCanNotBeRead(t *testing.T) {
	tests := []struct{ name, kind, encoding, body, want string }{
		{"bad JSON", "application/vnd.pypi.simple.v1+json", "", "{", "reading its JSON"},
		{"another type", "image/png", "", "x", `unsupported type "image/png"`},
		{"another encoding", "text/html", "br", "x", `unsupported encoding "br"`},
		{"bad gzip", "text/html", "gzip", "x", "unexpected EOF"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.host("pypi.example.com", func(rw http.ResponseWriter, _ *http.Request) {
				rw.Header().Set("Content-Type", tt.kind)
				if tt.encoding != "" {
					rw.Header().Set("Content-Encoding", tt.encoding)
				}
				io.WriteString(rw, tt.body)
			})
			d := open(t, door.Options{Client: w.client, Indexes: []door.Index{{Name: "pypi", URL: pypi}}})
			a := get(t, d, pypi+"/a/")
			if a.code != http.StatusBadGateway || !strings.Contains(problems(d), "page https://pypi.example.com/simple/a/ of index pypi") || !strings.Contains(a.body, tt.want) {
				t.Errorf("got %+v, problems %q", a, problems(d))
			}
		})
	}
}

// A truncated page is a transient error.
func TestPageThatIsCut(t *testing.T) {
	for _, encoding := range []string{"", "gzip"} {
		w := newWorld(t)
		w.host("pypi.example.com", func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Type", "text/html")
			rw.Header().Set("Content-Encoding", encoding)
			rw.Header().Set("Content-Length", "100")
			io.WriteString(rw, "<a")
			rw.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		})
		d := open(t, door.Options{Client: w.client, Indexes: []door.Index{{Name: "pypi", URL: pypi}}})
		get(t, d, pypi+"/a/")
		if all := d.Problems(); len(all) != 1 || failure.KindOf(all[0]) != failure.Transient {
			t.Errorf("encoding %q: problems %q", encoding, problems(d))
		}
	}
}

// A page of any successful status is read: otherwise it would show what it must hide.
func TestPagesOfAnyGoodStatus(t *testing.T) {
	w := newWorld(t)
	w.host("own.example.com", func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "text/html")
		rw.WriteHeader(http.StatusNonAuthoritativeInfo)
		io.WriteString(rw, `<a href="torch-1.whl">x</a>`)
	})
	d := open(t, door.Options{Client: w.client, Indexes: []door.Index{{Name: "own", URL: own, Flat: true}, {Name: "pypi", URL: pypi, Packages: []string{"torch"}}}})
	if a := get(t, d, own); a.err != nil || strings.Contains(a.body, "torch") {
		t.Errorf("got %+v", a)
	}
}

func TestPagesAreUnpacked(t *testing.T) {
	w := newWorld(t)
	w.host("pypi.example.com", func(rw http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept-Encoding") != "gzip" {
			t.Errorf("asked for %q", r.Header.Get("Accept-Encoding"))
		}
		rw.Header().Set("Content-Type", "text/html; charset=utf-8")
		rw.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(rw)
		io.WriteString(z, `<a href="a-1.whl">a</a>`)
		z.Close()
	})
	d := open(t, door.Options{Client: w.client, Indexes: []door.Index{{Name: "pypi", URL: pypi}}})
	a := get(t, d, pypi+"/a/", "Accept-Encoding: br, gzip")
	if a.body != `<a href="a-1.whl">a</a>` || a.header.Get("Content-Encoding") != "" || len(d.Files()) != 1 {
		t.Errorf("got %+v", a)
	}
}

func TestHostsOfPagesThatAreRefused(t *testing.T) {
	w := newWorld(t)
	w.host("pypi.example.com", projects(map[string]string{"a": `<a href="http://127.0.0.1/a.whl">a</a><a href="http://169.254.169.254/a.whl">a</a>`}))
	d := open(t, door.Options{Client: w.client, Indexes: []door.Index{{Name: "pypi", URL: pypi}}})
	get(t, d, pypi+"/a/")
	for _, host := range []string{"127.0.0.1", "169.254.169.254"} {
		if a := get(t, d, "http://"+host+"/a.whl"); a.code != http.StatusForbidden {
			t.Errorf("%s: got %+v", host, a)
		}
	}
}

func TestTwoIndexesThatDisagree(t *testing.T) {
	w := newWorld(t)
	w.host("pypi.example.com", projects(map[string]string{"a": `<a href="https://files.example.com/a-1.whl#sha256=` + sum("content") + `">a</a>`}))
	w.host("own.example.com", projects(map[string]string{"a": `<a href="https://files.example.com/a-1.whl#sha256=00">a</a>`}))
	w.host("files.example.com", text("content"))
	d := open(t, door.Options{Client: w.client, Indexes: []door.Index{{Name: "pypi", URL: pypi}, {Name: "own", URL: own}}})
	get(t, d, pypi+"/a/")
	get(t, d, own+"/a/")
	if a := get(t, d, "https://files.example.com/a-1.whl"); a.body != "content" || !strings.Contains(problems(d), "index own lists https://files.example.com/a-1.whl with a different hash") {
		t.Errorf("got %+v, problems %q", a, problems(d))
	}
}

func FuzzHTMLPageNeverPanics(f *testing.F) {
	f.Add(`<base href="https://a.example/x/"><a href="b-1.whl#sha256=00" data-yanked data-core-metadata="true">b</a>`)
	f.Add(`<a href="//u:p@h/x.whl">`)
	f.Add("<a href='%zz'><a href=x.whl#sha256=AB&egg=c><base href=http://[::1>")
	at := &url.URL{Scheme: "https", Host: "pypi.example", Path: "/simple/b/"}
	f.Fuzz(func(t *testing.T, page string) {
		files := door.ParseHTML(at, []byte(page))
		for _, file := range files {
			u, err := url.Parse(file.URL)
			if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || u.User != nil || u.Fragment != "" {
				t.Errorf("a file at %q (%v)", file.URL, err)
			}
		}
		for i, again := range door.ParseHTML(at, door.PageOf(files)) {
			if again.URL != files[i].URL || again.Yanked != files[i].Yanked {
				t.Errorf("%+v became %+v", files[i], again)
			}
		}
	})
}

func TestKeysOfAddresses(t *testing.T) {
	want := door.Key("https://github.com/me/a+b.whl?x=Y")
	for _, other := range []string{"https://GitHub.com:443/me/./c/../a%2Bb.whl?x=Y#sha256=00", "HTTPS://me@github.com./me/a+b.whl?x=Y"} {
		if got := door.Key(other); got != want {
			t.Errorf("%s is %s, want %s", other, got, want)
		}
	}
	for _, other := range []string{"http://github.com/me/a+b.whl?x=Y", "https://github.com/me/a+b.whl", "https://github.com/Me/a+b.whl?x=Y", "https://github.com//me/a+b.whl?x=Y", "https://[::1"} {
		if door.Key(other) == want {
			t.Errorf("%s is %s", other, want)
		}
	}
}
