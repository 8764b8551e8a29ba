package testworld_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lamina.build/internal/test/testworld"
)

type answer struct {
	status int
	header http.Header
	size   int64
	body   string
}

// ask sends a request with headers, given as names and values.
func ask(t *testing.T, method, url string, headers ...string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, resp.ContentLength, string(data)}
}

func sum(data []byte) string { return fmt.Sprintf("%x", sha256.Sum256(data)) }

func demo() testworld.Wheel {
	return testworld.Wheel{Name: "Demo.Pkg", Version: "1.0+cu1", RequiresPython: ">=3.8"}
}

func TestIndexPages(t *testing.T) {
	t.Parallel()
	w := testworld.New(t)
	old := testworld.Sdist{Name: "demo-pkg", Version: "0.9", Yanked: `it's "bad"`}
	x := w.Index(testworld.IndexOptions{JSON: true, Metadata: true}, demo(), old)
	page := ask(t, http.MethodGet, x.URL+"/demo-pkg/")
	metadata := sum([]byte("Metadata-Version: 2.1\nName: Demo.Pkg\nVersion: 1.0+cu1\nSummary: made for a test\nRequires-Python: >=3.8\n"))
	links := fmt.Sprintf(`<a href="%[1]s/simple-files/Demo_Pkg-1.0%%2Bcu1-py3-none-any.whl#sha256=%[2]s" data-requires-python="&gt;=3.8"`+
		` data-dist-info-metadata="sha256=%[3]s" data-core-metadata="sha256=%[3]s">Demo_Pkg-1.0+cu1-py3-none-any.whl</a><br>`+"\n"+
		`<a href="%[1]s/simple-files/demo_pkg-0.9.tar.gz#sha256=%[4]s" data-yanked="it&#39;s &#34;bad&#34;">demo_pkg-0.9.tar.gz</a><br>`,
		w.URL, sum(demo().Bytes(t)), metadata, sum(old.Bytes(t)))
	want := "<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"><title>Links for demo-pkg</title></head><body>\n" +
		links + "\n</body></html>\n"
	if diff := cmp.Diff(want, page.body); diff != "" || page.header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Errorf("%s (-want +got):\n%s", page.header.Get("Content-Type"), diff)
	}
	if page := ask(t, http.MethodGet, x.URL+"/").body; !strings.Contains(page, `<a href="demo-pkg/">demo-pkg</a>`) {
		t.Errorf("the root page is\n%s", page)
	}
	if page := ask(t, http.MethodGet, x.FindLinks()).body; !strings.Contains(page, links) {
		t.Errorf("the page of all files is\n%s", page)
	}
	if got := ask(t, http.MethodGet, x.FileURL(demo().FileName())+".metadata").body; sum([]byte(got)) != metadata {
		t.Errorf("the metadata is\n%s", got)
	}
}

func TestIndexPagesAsJSON(t *testing.T) {
	t.Parallel()
	w := testworld.New(t)
	yanked := testworld.Wheel{Name: "demo_pkg", Version: "0.9", Yanked: "bad"}
	x := w.Index(testworld.IndexOptions{JSON: true, Relative: true, Path: "whl/cu1"}, demo(), yanked)
	page := ask(t, http.MethodGet, x.URL+"/demo-pkg/", "Accept", "application/vnd.pypi.simple.v1+json, text/html; q=0.1")
	if kind := page.header.Get("Content-Type"); kind != "application/vnd.pypi.simple.v1+json" {
		t.Fatalf("got %s", kind)
	}
	var got, want any
	if err := json.Unmarshal([]byte(page.body), &got); err != nil {
		t.Fatal(err)
	}
	err := json.Unmarshal(fmt.Appendf(nil, `{"meta": {"api-version": "1.1"}, "name": "demo-pkg", "versions": ["0.9", "1.0+cu1"], "files": [
		{"filename": "Demo_Pkg-1.0+cu1-py3-none-any.whl", "url": "../../../whl/cu1-files/Demo_Pkg-1.0%%2Bcu1-py3-none-any.whl",
			"hashes": {"sha256": %q}, "requires-python": ">=3.8", "size": %d, "yanked": false},
		{"filename": "demo_pkg-0.9-py3-none-any.whl", "url": "../../../whl/cu1-files/demo_pkg-0.9-py3-none-any.whl",
			"hashes": {"sha256": %q}, "size": %d, "yanked": "bad"}]}`,
		sum(demo().Bytes(t)), len(demo().Bytes(t)), sum(yanked.Bytes(t)), len(yanked.Bytes(t))), &want)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestIndexesLoseFilesAndLie(t *testing.T) {
	t.Parallel()
	w := testworld.New(t)
	x := w.Index(testworld.IndexOptions{}, demo())
	name := demo().FileName()
	x.Lie(name)
	if page := ask(t, http.MethodGet, x.URL+"/demo-pkg/").body; strings.Contains(page, sum(demo().Bytes(t))) {
		t.Errorf("the page has the right hash:\n%s", page)
	}
	x.Remove(name)
	if status := ask(t, http.MethodGet, x.FileURL(name)).status; status != http.StatusNotFound {
		t.Errorf("got %d", status)
	}
	x.Publish(demo())
	page := ask(t, http.MethodGet, x.URL+"/demo-pkg/").body
	file := ask(t, http.MethodGet, x.FileURL(name)).body
	if strings.Count(page, "<a ") != 1 || !strings.Contains(page, sum([]byte(file))) {
		t.Errorf("got\n%s", page)
	}
	quiet := w.Index(testworld.IndexOptions{Path: "quiet", NoHashes: true}, demo())
	if page := ask(t, http.MethodGet, quiet.URL+"/demo-pkg/").body; strings.Contains(page, "sha256") {
		t.Errorf("got\n%s", page)
	}
}

func TestFilesAreSentInParts(t *testing.T) {
	t.Parallel()
	w := testworld.New(t)
	x := w.Index(testworld.IndexOptions{}, demo())
	name := demo().FileName()
	whole := demo().Bytes(t)
	head := ask(t, http.MethodHead, x.FileURL(name))
	if head.size != int64(len(whole)) || w.Sent(x.FilePath(name)) != 0 {
		t.Errorf("HEAD: got %d, sent %d", head.size, w.Sent(x.FilePath(name)))
	}
	part := ask(t, http.MethodGet, x.FileURL(name), "Range", "bytes=10-19")
	if part.status != http.StatusPartialContent || part.body != string(whole[10:20]) || w.Sent("/simple-files/**") != 10 {
		t.Errorf("range: got %d, %q, sent %d", part.status, part.body, w.Sent("/simple-files/**"))
	}
	if n := w.Requests(x.FilePath(name)); n != 2 {
		t.Errorf("counted %d requests, want 2", n)
	}
	w.Forget()
	if w.Requests("/**") != 0 || w.Sent("/**") != 0 {
		t.Error("nothing was forgotten")
	}
}

func TestBigFilesFailToo(t *testing.T) {
	t.Parallel()
	w := testworld.New(t)
	big := testworld.Wheel{Name: "big", Size: 4 << 20}
	x := w.Index(testworld.IndexOptions{}, big)
	url, whole := x.FileURL(big.FileName()), big.Bytes(t)
	w.Fail(x.FilePath("*.whl"), testworld.Cut(1))
	if _, content, err := get(t, url); err == nil || len(content) != len(whole)/2 || w.Sent("/simple-files/*") != int64(len(whole)/2) {
		t.Errorf("cut: got %d bytes, %v, counted %d", len(content), err, w.Sent("/simple-files/*"))
	}
	w.Fail(x.FilePath("*.whl"), testworld.Wrong(1))
	if _, content, err := get(t, url); err != nil || len(content) != len(whole) || sum([]byte(content)) == sum(whole) {
		t.Errorf("wrong: got %d bytes, %v", len(content), err)
	}
	w.Fail(x.FilePath("*.whl"), testworld.Slow(time.Millisecond, 1))
	if _, content, err := get(t, url); err != nil || sum([]byte(content)) != sum(whole) {
		t.Errorf("slow: got %d bytes, %v", len(content), err)
	}
	w.Fail(x.FilePath("*.whl"), testworld.Stall(1))
	client := http.Client{Timeout: 100 * time.Millisecond}
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if n, err := io.Copy(io.Discard, resp.Body); err == nil || n == int64(len(whole)) {
		t.Errorf("stall: got %d bytes, %v", n, err)
	}
	w.Fail("/simple/*", testworld.Slow(time.Millisecond, 1))
	if kind := ask(t, http.MethodGet, x.URL+"/big/").header.Get("Content-Type"); !strings.HasPrefix(kind, "text/html") {
		t.Errorf("a slow page is %s", kind)
	}
}

func TestIndexesAskForAPassword(t *testing.T) {
	t.Parallel()
	w := testworld.New(t)
	x := w.Index(testworld.IndexOptions{User: "me", Password: "p:w"}, demo())
	open := w.Index(testworld.IndexOptions{Path: "open", User: "me", Password: "p:w", OpenFiles: true}, demo())
	name := demo().FileName()
	for url, want := range map[string]int{
		x.URL + "/demo-pkg/": 401, x.FileURL(name): 401, x.FindLinks(): 401, open.URL + "/": 401, open.FileURL(name): 200,
		x.Login(x.URL + "/demo-pkg/"): 200, x.Login(x.FileURL(name)): 200, x.Login(x.FindLinks()): 200,
	} {
		if status := ask(t, http.MethodGet, url).status; status != want {
			t.Errorf("%s: got %d, want %d", url, status, want)
		}
	}
	if n := w.Credentials("/**"); n != 3 {
		t.Errorf("the password came %d times, want 3", n)
	}
}

func TestFilesLieElsewhere(t *testing.T) {
	t.Parallel()
	w := testworld.New(t)
	x := w.Index(testworld.IndexOptions{User: "me", Password: "pw", RedirectFiles: true}, demo())
	name := demo().FileName()
	content := ask(t, http.MethodGet, x.Login(x.FileURL(name))).body
	if content != string(demo().Bytes(t)) {
		t.Errorf("got %q", content)
	}
	if w.Requests(x.FilePath(name)) != 1 || x.Files.Requests(x.FilePath(name)) != 1 || x.Files.URL == w.URL {
		t.Error("the file was not redirected")
	}
	if w.Credentials("/**") != 1 || x.Files.Credentials("/**") != 0 {
		t.Errorf("the password came %d times, and %d times to the other host", w.Credentials("/**"), x.Files.Credentials("/**"))
	}
}

func TestImmutableFilesMayBeKept(t *testing.T) {
	t.Parallel()
	w := testworld.New(t)
	for _, immutable := range []bool{false, true} {
		x := w.Index(testworld.IndexOptions{Immutable: immutable}, demo())
		header := ask(t, http.MethodGet, x.FileURL(demo().FileName())).header
		if got := header.Get("Cache-Control") != ""; got != immutable {
			t.Errorf("immutable is %t, and the header %v", immutable, header)
		}
	}
}
