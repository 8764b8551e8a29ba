package hub_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lamina.build/internal/failure"
	"lamina.build/internal/hub"
	"lamina.build/internal/test/testworld"
	"lamina.build/lock"
)

func TestList(t *testing.T) {
	t.Parallel()
	w := testworld.New(t)
	var sums strings.Builder
	var want []hub.File
	for i, name := range []string{"b/ünï code+1.bin", "a file%.bin", "deep/er/x"} {
		content := strings.Repeat("x", i+1)
		w.Put("models/v 1/"+name, []byte(content))
		sum := testworld.SHA256(testworld.Text(content))
		fmt.Fprintf(&sums, "%s %c%s\n", sum, " *"[i%2], name)
		want = append(want, hub.File{ModelFile: lock.ModelFile{Path: name, Size: int64(i + 1), SHA256: sum}})
	}
	want[0].URL = w.URL + "/models/v%201/b/%C3%BCn%C3%AF%20code%2B1.bin"
	want[1].URL = w.URL + "/models/v%201/a%20file%25.bin"
	want[2].URL = w.URL + "/models/v%201/deep/er/x"
	want[0], want[1] = want[1], want[0] // sorted
	w.Put("models/v 1/SHA256SUMS", []byte(sums.String()))
	w.Fail("/models/**", testworld.Status(503, 2))
	c := client(t, hub.Options{Token: token})
	got, _, err := c.List(t.Context(), w.URL+"/models/v%201/SHA256SUMS?of=list")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if sent := w.Sent("/models/v 1/**"); sent > int64(sums.Len())+100 {
		t.Errorf("%d bytes were sent", sent)
	}
	for _, f := range got {
		if content, err := read(t, c, f, f.Size-1, 1); content != "x" || err != nil {
			t.Errorf("%q: got %q, %v", f.Path, content, err)
		}
	}
	if n := w.Credentials("/**"); n != 0 {
		t.Errorf("the token was sent %d times", n)
	}
}

// TestSizesOfServersThatSayNone has a file signed for GET, one whose server states no
// length, one with neither, and an empty one.
func TestSizesOfServersThatSayNone(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.HandleFunc("/list", func(rw http.ResponseWriter, _ *http.Request) {
		for _, name := range []string{"get", "chunked", "neither", "empty"} {
			fmt.Fprintf(rw, "%064d  %s\n", 1, name)
		}
	})
	mux.HandleFunc("GET /get", func(rw http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			rw.WriteHeader(http.StatusForbidden)
			return
		}
		fmt.Fprint(rw, "12345")
	})
	chunked := func(rw http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead && r.URL.Path == "/neither" {
			rw.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		_ = http.NewResponseController(rw).Flush()
		fmt.Fprint(rw, "1234567")
	}
	mux.HandleFunc("/chunked", chunked)
	mux.HandleFunc("/neither", chunked)
	mux.HandleFunc("/empty", func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Range", "bytes */0")
		rw.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
	})
	s := httptest.NewServer(mux)
	defer s.Close()
	files, _, err := client(t, hub.Options{}).List(t.Context(), s.URL+"/list")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if want := map[string]int64{"get": 5, "chunked": 7, "neither": 7, "empty": 0}[f.Path]; f.Size != want {
			t.Errorf("%s: got %d, want %d", f.Path, f.Size, want)
		}
	}
}

func TestListsThatAreWrong(t *testing.T) {
	t.Parallel()
	w := testworld.New(t)
	sum := strings.Repeat("a", 64)
	for text, says := range map[string]string{
		"":                                   `has no files`,
		"# nothing\n\n":                      `has no files`,
		sum + "  a\n" + sum + "  a\n":        `path "a": is listed twice`,
		sum + "  a\n" + sum + "  a/b\n":      `path "a/b": lies below the file "a"`,
		"<html>":                             "/list:1: not a line of sha256sum",
		"#\n\n" + sum + "  ../x\nabc\n":      "/list:3: path \"../x\": not a clean path below its directory\n",
		"\xef\xbb\xbf" + sum + "  .wh.x\r\n": "/list:1: path \".wh.x\"",
	} {
		w.Put("list", []byte(text))
		_, _, err := client(t, hub.Options{}).List(t.Context(), w.URL+"/list")
		if failure.KindOf(err) != failure.Usage || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: got %v, want %s", text, err, says)
		}
	}
	for _, address := range []string{"", "list", "file:///list", "https://me:geheim@h/list", "https://", "http://[::1"} {
		_, _, err := client(t, hub.Options{}).List(t.Context(), address)
		if failure.KindOf(err) != failure.Usage || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%q: got %v", address, err)
		}
	}
}

func TestListsThatAreNotThere(t *testing.T) {
	t.Parallel()
	w := testworld.New(t)
	c := client(t, hub.Options{})
	_, _, err := c.List(t.Context(), w.URL+"/list")
	checkRefused(t, err, hub.NoFile, failure.Usage, "has no file at "+w.URL+"/list (404)", "check the address")
	w.Put("list", []byte(strings.Repeat("a", 64)+"  file\n"))
	_, _, err = c.List(t.Context(), w.URL+"/list")
	checkRefused(t, err, hub.NoFile, failure.Usage, "has no file at "+w.URL+"/file (404)", "the names in the list")
	w.Fail("/file", testworld.Status(401, testworld.Always))
	_, _, err = c.List(t.Context(), w.URL+"/list")
	checkRefused(t, err, hub.Forbidden, failure.Usage, "refuses access to "+w.URL+"/file (401)", "")
	w.Stop()
	if _, _, err = c.List(t.Context(), w.URL+"/list"); failure.KindOf(err) != failure.Transient {
		t.Errorf("got %v", err)
	}
}

func TestASizeThatNobodySays(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/list" {
			fmt.Fprintf(rw, "%064d  f\n", 1)
			return
		}
		rw.Header().Set("Content-Range", "bytes 0-0/*")
		rw.WriteHeader(http.StatusPartialContent)
	}))
	defer s.Close()
	_, _, err := client(t, hub.Options{}).List(t.Context(), s.URL+"/list")
	if odd, ok := errors.AsType[*hub.AnswerError](err); !ok || !strings.Contains(odd.Reason, "without a size") {
		t.Errorf("got %v", err)
	}
}
