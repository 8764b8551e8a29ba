package testworld_test

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"lamina.build/internal/test/testworld"
)

const (
	hubToken = "hf_geheim"
	hubOther = "hf_fremd"
)

// hubReply is an answer without its body.
type hubReply struct {
	Status        string
	StatusCode    int
	Header        http.Header
	ContentLength int64
}

// askHub makes one request and follows no redirect.
func askHub(t *testing.T, method, url string, header ...string) (reply hubReply, body string, err error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return reply, "", err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	return hubReply{resp.Status, resp.StatusCode, resp.Header, resp.ContentLength}, string(data), err
}

func TestHubFiles(t *testing.T) {
	t.Parallel()
	h := testworld.New(t).Hub(testworld.HubOptions{})
	large := testworld.Generated(1, 3<<20)
	id := h.Repo("Org/Model", testworld.HubRepoOptions{}).Commit(map[string]testworld.HubFile{
		"large": testworld.Large(large), "dir/a b?": testworld.Small("hello\n"),
	})
	resp, _, err := askHub(t, http.MethodHead, h.Endpoint+"/Org/Model/resolve/main/large")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"X-Repo-Commit": id, "X-Linked-Etag": `"` + testworld.SHA256(large) + `"`, "X-Linked-Size": "3145728"} {
		if got := resp.Header.Get(name); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	place := resp.Header.Get("Location")
	if resp.StatusCode != http.StatusFound || !strings.HasPrefix(place, h.CDN.URL+h.BlobPath(large)+"?") {
		t.Fatalf("got %d, %s", resp.StatusCode, place)
	}
	resp, got, err := askHub(t, http.MethodGet, place, "Range", "bytes=1048570-1048585")
	if want := blockOf(t, large, 1048570, 16); err != nil || got != want || resp.StatusCode != http.StatusPartialContent ||
		resp.Header.Get("Content-Range") != "bytes 1048570-1048585/3145728" {
		t.Errorf("got %d, %v, %d bytes, %v", resp.StatusCode, resp.Header, len(got), err)
	}
	resp, _, _ = askHub(t, http.MethodGet, h.Endpoint+"/Org/Model/resolve/"+id+"/dir/a%20b%3F")
	if place = resp.Header.Get("Location"); resp.StatusCode != http.StatusTemporaryRedirect || !strings.HasPrefix(place, "/hub/api/resolve-cache/") {
		t.Fatalf("got %d, %s", resp.StatusCode, place)
	}
	resp, got, _ = askHub(t, http.MethodGet, h.URL+place)
	if etag := resp.Header.Get("ETag"); got != "hello\n" || etag != `"ce013625030ba8dba906f756967f9e9ca394464a"` { // git hash-object
		t.Errorf("got %q, %s", got, etag)
	}
}

func blockOf(t *testing.T, c testworld.Content, offset, length int64) string {
	t.Helper()
	data, err := io.ReadAll(io.NewSectionReader(c, offset, length))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestHubRanges(t *testing.T) {
	t.Parallel()
	h := testworld.New(t).Hub(testworld.HubOptions{Direct: true})
	h.Repo("Org/Model", testworld.HubRepoOptions{}).Commit(map[string]testworld.HubFile{"f": testworld.Small("0123456789")})
	for asked, want := range map[string]string{
		"bytes=0-0": "206 bytes 0-0/10 0", "bytes=7-": "206 bytes 7-9/10 789", "bytes=8-99": "206 bytes 8-9/10 89",
		"bytes=10-": "416 bytes */10 ", "bytes=5-4": "416 bytes */10 ", "bytes=-3": "416 bytes */10 ", "bytes=x-y": "416 bytes */10 ", "": "200  0123456789",
	} {
		resp, got, err := askHub(t, http.MethodGet, h.Endpoint+"/Org/Model/resolve/main/f", "Range", asked)
		if err != nil {
			t.Fatal(err)
		}
		if got = strings.Join([]string{resp.Status[:3], resp.Header.Get("Content-Range"), got}, " "); got != want {
			t.Errorf("%s: got %q, want %q", asked, got, want)
		}
	}
	resp, got, _ := askHub(t, http.MethodHead, h.Endpoint+"/Org/Model/resolve/main/f")
	if got != "" || resp.ContentLength != 10 {
		t.Errorf("HEAD: got %q of %d", got, resp.ContentLength)
	}
	if resp, _, _ := askHub(t, http.MethodPut, h.Endpoint+"/Org/Model/resolve/main/f"); resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("PUT: got %s", resp.Status)
	}
}

func TestHubTree(t *testing.T) {
	t.Parallel()
	h := testworld.New(t).Hub(testworld.HubOptions{PageSize: 3})
	h.Repo("Org/Model", testworld.HubRepoOptions{}).Commit(map[string]testworld.HubFile{
		"a/b/c": testworld.Small("1"), "a/b/d": testworld.Large(testworld.Text("2")), "e": testworld.Small("3"), "f/g": testworld.Small("4"),
	})
	var names []string
	pages := 0
	for url := h.Endpoint + "/api/models/Org/Model/tree/main?recursive=True"; url != ""; pages++ {
		resp, text, err := askHub(t, http.MethodGet, url)
		if err != nil {
			t.Fatal(err)
		}
		var page []struct{ Type, Path string }
		if err := json.Unmarshal([]byte(text), &page); err != nil {
			t.Fatal(err)
		}
		for _, e := range page {
			names = append(names, e.Type[:1]+" "+e.Path)
		}
		link, more := strings.CutSuffix(resp.Header.Get("Link"), `>; rel="next"`)
		if url = strings.TrimPrefix(link, "<"); more && !strings.Contains(url, "recursive=True") {
			t.Errorf("the next page is %s", url)
		}
	}
	slices.Sort(names)
	if got := strings.Join(names, ","); got != "d a,d a/b,d f,f a/b/c,f a/b/d,f e,f f/g" || pages != 3 {
		t.Errorf("got %s on %d pages", got, pages)
	}
}

func TestHubRefusals(t *testing.T) {
	t.Parallel()
	h := testworld.New(t).Hub(testworld.HubOptions{Token: hubToken, Other: hubOther})
	files := map[string]testworld.HubFile{"f": testworld.Small("text")}
	h.Repo("Org/open", testworld.HubRepoOptions{}).Commit(files)
	h.Repo("Org/private", testworld.HubRepoOptions{Private: true}).Commit(files)
	h.Repo("Org/gated", testworld.HubRepoOptions{Gated: true}).Commit(files)
	tests := []struct{ path, token, want string }{
		{"api/models/Org/open/revision/main", "", "200 "},
		{"api/models/Org/open/revision/v1", "", "404 RevisionNotFound"},
		{"Org/open/resolve/main/g", "", "404 EntryNotFound"},
		{"Org/open/resolve/main/f", "wrong", "401 "},
		{"Org/none/resolve/main/f", "", "401 RepoNotFound"},
		{"Org/none/resolve/main/f", hubToken, "404 RepoNotFound"},
		{"Org/private/resolve/main/f", "", "401 RepoNotFound"},
		{"Org/private/resolve/main/f", hubOther, "404 RepoNotFound"},
		{"Org/private/resolve/main/f", hubToken, "307 "},
		{"api/models/Org/gated/tree/main", "", "200 "},
		{"Org/gated/resolve/main/f", "", "401 GatedRepo"},
		{"Org/gated/resolve/main/f", hubOther, "403 GatedRepo"},
		{"Org/gated/resolve/main/f", hubToken, "307 "},
		{"api/resolve-cache/models/Org/gated/main/f", "", "401 GatedRepo"},
		{"api/whoami", "", "401 RepoNotFound"},
	}
	for _, tt := range tests {
		var login []string
		if tt.token != "" {
			login = []string{"Authorization", "Bearer " + tt.token}
		}
		resp, _, err := askHub(t, http.MethodGet, h.Endpoint+"/"+tt.path, login...)
		if err != nil {
			t.Fatal(err)
		}
		if got := resp.Status[:3] + " " + resp.Header.Get("X-Error-Code"); got != tt.want {
			t.Errorf("%s with %q: got %s, want %s", tt.path, tt.token, got, tt.want)
		}
	}
	if n := h.Credentials("/**"); n != 6 {
		t.Errorf("%d requests with a token, want 6", n)
	}
	h.Drop("Org/open")
	if resp, _, _ := askHub(t, http.MethodGet, h.Endpoint+"/Org/open/resolve/main/f"); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("dropped: got %s", resp.Status)
	}
}

func TestHubSignatures(t *testing.T) {
	t.Parallel()
	h := testworld.New(t).Hub(testworld.HubOptions{})
	content := testworld.Text("text")
	h.Repo("Org/Model", testworld.HubRepoOptions{}).Commit(map[string]testworld.HubFile{"f": testworld.Large(content)})
	resp, _, _ := askHub(t, http.MethodGet, h.Endpoint+"/Org/Model/resolve/main/f")
	place := resp.Header.Get("Location")
	if resp, got, _ := askHub(t, http.MethodGet, place); got != "text" {
		t.Errorf("got %s, %q", resp.Status, got)
	}
	if resp, _, _ := askHub(t, http.MethodGet, place, "Authorization", "Bearer x"); resp.StatusCode != http.StatusBadRequest {
		t.Errorf("with a token: got %s", resp.Status)
	}
	if resp, _, _ := askHub(t, http.MethodGet, h.CDN.URL+h.BlobPath(content)); resp.StatusCode != http.StatusForbidden {
		t.Errorf("unsigned: got %s", resp.Status)
	}
	h.Expire()
	if resp, _, _ := askHub(t, http.MethodGet, place); resp.StatusCode != http.StatusForbidden {
		t.Errorf("expired: got %s", resp.Status)
	}
}

func TestHubFaultsCorruptRanges(t *testing.T) {
	t.Parallel()
	h := testworld.New(t).Hub(testworld.HubOptions{Direct: true})
	h.Repo("Org/Model", testworld.HubRepoOptions{}).Commit(map[string]testworld.HubFile{"f": testworld.Small("0123456789")})
	address := h.Endpoint + "/Org/Model/resolve/main/f"
	tests := []struct {
		name   string
		fault  testworld.Fault
		status int
		body   string
		fails  bool
	}{
		{"wrong", testworld.Wrong(1), 206, "2355", false},
		{"cut", testworld.Cut(1), 206, "23", true},
		{"slow", testworld.Slow(time.Millisecond, 1), 206, "2345", false},
		{"500", testworld.Status(500, 1), 500, "Internal Server Error\n", false},
		{"healed", testworld.Fault{}, 206, "2345", false},
	}
	for _, tt := range tests {
		h.Fail("GET /hub/Org/**", tt.fault)
		if resp, _, _ := askHub(t, http.MethodHead, address); resp.StatusCode != http.StatusOK {
			t.Errorf("%s: HEAD fails, too", tt.name)
		}
		resp, got, err := askHub(t, http.MethodGet, address, "Range", "bytes=2-5")
		if resp.StatusCode != tt.status || got != tt.body || (err != nil) != tt.fails {
			t.Errorf("%s: got %s, %q, %v", tt.name, resp.Status, got, err)
		}
		if code := resp.Header.Get("Content-Range"); (code != "") != (tt.status == 206) {
			t.Errorf("%s: Content-Range is %q", tt.name, code)
		}
	}
	h.Fail("/**", testworld.Limited("resolvers", time.Minute, testworld.Always))
	if resp, _, _ := askHub(t, http.MethodGet, address); resp.StatusCode != http.StatusTooManyRequests || resp.Header.Get("RateLimit") != `"resolvers";r=0;t=60` {
		t.Errorf("limited: got %s, %v", resp.Status, resp.Header)
	}
	h.Heal()
	if resp, _, _ := askHub(t, http.MethodGet, address); resp.StatusCode != http.StatusOK {
		t.Errorf("healed: got %s", resp.Status)
	}
}
