package hub_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"lamina.build/internal/failure"
	"lamina.build/internal/fetch"
	"lamina.build/internal/hub"
	"lamina.build/internal/test/testworld"
	"lamina.build/lock"
)

func TestOpen(t *testing.T) {
	t.Parallel()
	content := testworld.Generated(2, 2<<20+3)
	for _, lfs := range []bool{true, false} {
		_, c, files := setup(t, testworld.HubOptions{}, map[string]testworld.HubFile{"f": {Content: content, LFS: lfs}, "empty": testworld.Small("")})
		f := files["f"]
		for _, at := range [][2]int64{{0, f.Size}, {0, 1}, {1<<20 - 3, 7}, {f.Size - 1, 1}, {5, 0}, {f.Size, 0}} {
			got, err := readOnce(t, c, f, at[0], at[1])
			if err != nil || got != part(t, content, at[0], at[1]) {
				t.Errorf("%v: got %d bytes, %v", at, len(got), err)
			}
		}
		if got, err := readOnce(t, c, files["empty"], 0, 0); got != "" || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
		for _, at := range [][2]int64{{-1, 1}, {0, -1}, {0, f.Size + 1}, {f.Size, 1}, {1 << 62, 1 << 62}} {
			if _, err := readOnce(t, c, f, at[0], at[1]); err == nil {
				t.Errorf("%v: no error", at)
			}
		}
	}
}

func TestOpenTriesOnce(t *testing.T) {
	t.Parallel()
	for _, code := range []int{500, 429} {
		h, c, files := setup(t, testworld.HubOptions{}, map[string]testworld.HubFile{"f": testworld.Large(testworld.Text("text"))})
		h.CDN.Fail("/**", testworld.Status(code, 1))
		if _, err := readOnce(t, c, files["f"], 0, 4); failure.KindOf(err) != failure.Transient || h.CDN.Requests("/**") != 1 {
			t.Errorf("%d: got %v after %d requests", code, err, h.CDN.Requests("/**"))
		}
	}
}

func TestWhoMayReadFiles(t *testing.T) {
	t.Parallel()
	h := testworld.New(t).Hub(testworld.HubOptions{Token: token, Other: other})
	gated := h.Repo("Org/gated", testworld.HubRepoOptions{Gated: true}).Commit(map[string]testworld.HubFile{"f": testworld.Small("text")})
	page := h.Endpoint + "/Org/gated"
	tests := []struct {
		name       string
		token      hub.Token
		reason     hub.Reason
		says, hint string
	}{
		{"anonymous", "", hub.Gated, `repository "Org/gated" is gated`, "accept the terms at " + page + " and set HF_TOKEN"},
		{"another", other, hub.Gated, `repository "Org/gated" is gated`, "accept the terms at " + page + " with the account of HF_TOKEN"},
		{"unknown", "hf_falsch", hub.BadToken, "rejects the token", "HF_TOKEN"},
	}
	for _, tt := range tests {
		c := client(t, hub.Options{Endpoint: h.Endpoint, Token: tt.token})
		f := hub.File{ModelFile: lock.ModelFile{Path: "f", URL: hub.FileURL(c, "Org/gated", gated, "f"), Size: 4}}
		_, err := read(t, c, f, 0, 4)
		checkRefused(t, err, tt.reason, failure.Usage, tt.says, tt.hint)
	}
	c := client(t, hub.Options{Endpoint: h.Endpoint, Token: token})
	if got, err := readOnce(t, c, hub.File{ModelFile: lock.ModelFile{Path: "f", URL: hub.FileURL(c, "Org/gated", gated, "f"), Size: 4}}, 0, 4); got != "text" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestFilesThatAreNotThere(t *testing.T) {
	t.Parallel()
	h, c, files := setup(t, testworld.HubOptions{}, map[string]testworld.HubFile{"a b": testworld.Small("text")})
	f := files["a b"]
	f.URL = strings.Replace(f.URL, "a%20b", "a%20c", 1)
	_, err := read(t, c, f, 0, 4)
	checkRefused(t, err, hub.NoFile, failure.Usage, `repository "Org/Model-1.0" has no file "a c" at "`, `"build lock"`)
	h.Heal()
	h.Fail("GET /hub/Org/**", testworld.Status(404, 1)) // from a mirror that gives no code
	_, err = read(t, c, files["a b"], 0, 4)
	checkRefused(t, err, hub.NoFile, failure.Usage, `repository "Org/Model-1.0" has no file "a b" at "`, `"build lock"`)
	h.Drop(repository)
	_, err = read(t, c, files["a b"], 0, 4)
	checkRefused(t, err, hub.NoRepository, failure.Usage, `has no repository "Org/Model-1.0"`, "HF_TOKEN")
}

// TestOddAnswers has servers whose answers don't fit the request.
func TestOddAnswers(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		code   int
		header http.Header
		body   string
		offset int64
		says   string // "" if fine
	}{
		{"the range", 206, http.Header{"Content-Range": {"bytes 2-5/10"}}, "2345", 2, ""},
		{"unknown size", 206, http.Header{"Content-Range": {"bytes 2-5/*"}}, "2345", 2, ""},
		{"the whole", 200, nil, "0123456789", 2, ""},
		{"another range", 206, http.Header{"Content-Range": {"bytes 3-6/10"}}, "3456", 2, `the range of the answer is "bytes 3-6/10" and not "bytes 2-5/10"`},
		{"less", 206, http.Header{"Content-Range": {"bytes 2-4/10"}}, "234", 2, "the range of the answer"},
		{"no range", 206, nil, "2345", 2, "the range of the answer"},
		{"another file", 206, http.Header{"Content-Range": {"bytes 2-5/11"}}, "2345", 2, "its size is 11 and not 10"},
		{"a shorter file", 416, http.Header{"Content-Range": {"bytes */3"}}, "", 2, "its size is 3 and not 10"},
		{"a shorter file, of unstated size", 416, nil, "", 2, "its size is less and not 10"},
		{"no sense", 416, http.Header{"Content-Range": {"bytes */10"}}, "", 2, "refuses a range that exists"},
		{"another whole", 200, nil, "0123", 2, "its size is 4 and not 10"},
		{"compressed", 200, http.Header{"Content-Encoding": {"gzip"}}, "0123456789", 2, `is encoded as "gzip"`},
		{"not compressed", 200, http.Header{"Content-Encoding": {"identity"}}, "0123456789", 2, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.header == nil {
				tt.header = http.Header{}
			}
			c := client(t, hub.Options{HTTP: fetch.Options{Transport: answer(tt.code, tt.body, tt.header)}})
			f := hub.File{ModelFile: lock.ModelFile{Path: "f", URL: "https://me:geheim@web.example/f?sig=geheim", Size: 10}}
			got, err := read(t, c, f, tt.offset, 4)
			if tt.says == "" {
				if got != "2345" || err != nil {
					t.Errorf("got %q, %v", got, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "geheim") {
				t.Errorf("got %q, %v, want %q", got, err, tt.says)
			}
			var mismatch *fetch.MismatchError
			var odd *hub.AnswerError
			if !errors.As(err, &mismatch) && !errors.As(err, &odd) || failure.KindOf(err) != failure.Failure {
				t.Errorf("got a %T", err)
			}
			if _, once := readOnce(t, c, f, tt.offset, 4); once == nil || once.Error() != err.Error() {
				t.Errorf("once: %v", once)
			}
		})
	}
}

func TestAWholeTooLargeToSkip(t *testing.T) {
	t.Parallel()
	body := strings.Repeat("x", 17<<20)
	c := client(t, hub.Options{HTTP: fetch.Options{Transport: answer(200, body, http.Header{})}})
	_, err := readOnce(t, c, hub.File{ModelFile: lock.ModelFile{URL: "https://web.example/f", Size: int64(len(body))}}, 16<<20+1, 4)
	if err == nil || !strings.Contains(err.Error(), "sends the whole file instead of a range") {
		t.Errorf("got %v", err)
	}
}

func TestATransferThatEndsEarlyIsAnError(t *testing.T) {
	t.Parallel()
	h, c, files := setup(t, testworld.HubOptions{}, map[string]testworld.HubFile{"f": testworld.Large(testworld.Text("0123456789"))})
	h.CDN.Fail("/**", testworld.Cut(1))
	if got, err := readOnce(t, c, files["f"], 0, 10); err == nil || got != "01234" {
		t.Errorf("got %q, %v", got, err)
	}
	chunked := client(t, hub.Options{HTTP: fetch.Options{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		resp, err := answer(200, "01234", http.Header{}).RoundTrip(r)
		resp.ContentLength = -1 // it ends without an error
		return resp, err
	})}})
	if got, err := read(t, chunked, hub.File{ModelFile: lock.ModelFile{URL: "https://web.example/f", Size: 10}}, 0, 10); err == nil || got != "01234" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestWhatIsNoAddress(t *testing.T) {
	t.Parallel()
	c := client(t, hub.Options{})
	for _, address := range []string{"http://[::1", "http://%zz", "ftp://x/y", ""} {
		if _, err := readOnce(t, c, hub.File{ModelFile: lock.ModelFile{URL: address, Size: 1}}, 0, 1); err == nil {
			t.Errorf("%q: no error", address)
		}
	}
}
