package testworld_test

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	"github.com/opencontainers/go-digest"

	"lamina.build/internal/test/testworld"
)

// reply is an answer with its body read.
type reply struct {
	*http.Response
	data string
}

func call(t *testing.T, method, address string, body []byte, header map[string]string) reply {
	t.Helper()
	got, err := attempt(t, method, address, body, header)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func attempt(t *testing.T, method, address string, body []byte, header map[string]string) (reply, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for key, value := range header {
		req.Header.Set(key, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	return reply{resp, string(data)}, err
}

// start begins an upload and returns its location.
func start(t *testing.T, r *testworld.Registry, repo string) string {
	t.Helper()
	resp := call(t, http.MethodPost, r.URL+"/v2/"+repo+"/blobs/uploads/", nil, nil)
	return located(t, r, resp, http.StatusAccepted)
}

func located(t *testing.T, r *testworld.Registry, resp reply, status int) string {
	t.Helper()
	if resp.StatusCode != status {
		t.Fatalf("got %s, want %d", resp.Status, status)
	}
	return r.URL + resp.Header.Get("Location")
}

func chunk(first, last int) map[string]string {
	return map[string]string{"Content-Range": strconv.Itoa(first) + "-" + strconv.Itoa(last)}
}

func commit(t *testing.T, location string, d digest.Digest, body []byte) reply {
	t.Helper()
	return call(t, http.MethodPut, location+"&digest="+url.QueryEscape(d.String()), body, nil)
}

// TestRegistryServesImages tests the registry with a third-party client.
func TestRegistryServesImages(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		opts testworld.RegistryOptions
	}{
		{"open", testworld.RegistryOptions{}},
		{"basic", testworld.RegistryOptions{User: "ann", Password: "secret"}},
		{"tokens", testworld.RegistryOptions{User: "ann", Password: "secret", Tokens: true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := testworld.NewRegistry(t, tt.opts)
			image, err := random.Image(3000, 3)
			if err != nil {
				t.Fatal(err)
			}
			login := remote.WithAuth(&authn.Basic{Username: tt.opts.User, Password: tt.opts.Password})
			ref := mustParse(t, r.Host+"/acme/model:1")
			if err = remote.Write(ref, image, login, remote.WithContext(t.Context())); err != nil {
				t.Fatal(err)
			}
			checkImage(t, ref, image, login)
			copied := mustParse(t, r.Host+"/acme/copy:1")
			if err = remote.Write(copied, image, login, remote.WithContext(t.Context())); err != nil {
				t.Fatal(err)
			}
			checkImage(t, copied, image, login)
			tags, err := remote.List(ref.Context(), login, remote.WithContext(t.Context()))
			if err != nil || len(tags) != 1 || tags[0] != "1" {
				t.Errorf("got the tags %q, %v", tags, err)
			}
			wrong := remote.WithAuth(&authn.Basic{Username: "eve", Password: "guess"})
			if err = remote.Write(ref, image, wrong, remote.WithContext(t.Context())); (err != nil) != (tt.opts.User != "") {
				t.Errorf("with another login: %v", err)
			}
		})
	}
}

func mustParse(t *testing.T, reference string) name.Reference {
	t.Helper()
	ref, err := name.ParseReference(reference)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

func checkImage(t *testing.T, ref name.Reference, want v1.Image, login remote.Option) {
	t.Helper()
	got, err := remote.Image(ref, login, remote.WithContext(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Image(got); err != nil {
		t.Error(err)
	}
	wanted, _ := want.Digest()
	if d, err := got.Digest(); d != wanted {
		t.Errorf("got image %s (%v), want %s", d, err, wanted)
	}
}

func TestRegistryTakesChunksInOrder(t *testing.T) {
	t.Parallel()
	r := testworld.NewRegistry(t, testworld.RegistryOptions{})
	at := start(t, r, "a/b")
	resp := call(t, http.MethodPatch, at, []byte("hello "), chunk(0, 5))
	at = located(t, r, resp, http.StatusAccepted)
	if got := resp.Header.Get("Range"); got != "0-5" {
		t.Errorf("got range %q, want 0-5", got)
	}
	for _, wrong := range []map[string]string{chunk(0, 4), chunk(7, 11), {"Content-Range": "bytes 6-10/*"}, chunk(6, 9), chunk(10, 6)} {
		if got := call(t, http.MethodPatch, at, []byte("world"), wrong).StatusCode; got != 416 && got != 400 {
			t.Errorf("chunk %v: got %d", wrong, got)
		}
	}
	resp = call(t, http.MethodGet, at, nil, nil)
	if got := resp.Header.Get("Range"); resp.StatusCode != http.StatusNoContent || got != "0-5" {
		t.Errorf("status: got %s with range %q", resp.Status, got)
	}
	call(t, http.MethodPatch, at, []byte("world"), chunk(6, 10))
	if got := commit(t, at, digest.FromString("hello"), nil).StatusCode; got != http.StatusBadRequest {
		t.Errorf("a wrong digest: got %d, want 400", got)
	}
	d := digest.FromString("hello world")
	if resp := commit(t, at, d, nil); resp.StatusCode != http.StatusCreated || resp.Header.Get("Docker-Content-Digest") != d.String() {
		t.Errorf("commit: got %s, %v", resp.Status, resp.Header)
	}
	if got := commit(t, at, d, nil).StatusCode; got != http.StatusNotFound {
		t.Errorf("a second commit: got %d, want 404", got)
	}
	if got := string(r.Blob("a/b", d)); got != "hello world" {
		t.Errorf("got blob %q", got)
	}
	if got := r.ReceivedOf(d); got != 11 {
		t.Errorf("%d bytes came for the blob, want 11", got)
	}
}

func TestRegistryLocationsHaveStates(t *testing.T) {
	t.Parallel()
	r := testworld.NewRegistry(t, testworld.RegistryOptions{})
	at, _, _ := strings.Cut(start(t, r, "a"), "?")
	if got := call(t, http.MethodGet, at, nil, nil).StatusCode; got != http.StatusNotFound {
		t.Errorf("a location without its query: got %d, want 404", got)
	}
}

func TestRegistryTakesBlobsWhole(t *testing.T) {
	t.Parallel()
	r := testworld.NewRegistry(t, testworld.RegistryOptions{})
	d := digest.FromString("whole")
	single := r.URL + "/v2/a/blobs/uploads/?digest=" + d.String()
	if got := call(t, http.MethodPost, single, []byte("whole"), nil).StatusCode; got != http.StatusCreated {
		t.Errorf("POST: got %d, want 201", got)
	}
	if got := commit(t, start(t, r, "b"), d, []byte("whole")).StatusCode; got != http.StatusCreated {
		t.Errorf("POST and PUT: got %d, want 201", got)
	}
	at := start(t, r, "c")
	call(t, http.MethodPatch, at, []byte("who"), nil)
	call(t, http.MethodPatch, at, []byte("le"), nil)
	if got := commit(t, at, d, nil).StatusCode; got != http.StatusCreated {
		t.Errorf("PATCH without a range: got %d, want 201", got)
	}
	mount := r.URL + "/v2/d/blobs/uploads/?from=a&mount=" + d.String()
	if got := call(t, http.MethodPost, mount, nil, nil).StatusCode; got != http.StatusCreated {
		t.Errorf("mount: got %d, want 201", got)
	}
	if r.BlobSize("d", d) != 5 || r.BlobSize("e", d) != -1 || r.Uploads() != 0 {
		t.Error("the blob isn't where it should be, or where it shouldn't")
	}
}

func TestRegistryDiscards(t *testing.T) {
	t.Parallel()
	r := testworld.NewRegistry(t, testworld.RegistryOptions{Discard: true})
	data := bytes.Repeat([]byte{7}, 5<<20)
	d := digest.FromBytes(data)
	commit(t, start(t, r, "a"), d, data)
	blob := r.URL + "/v2/a/blobs/" + d.String()
	if resp := call(t, http.MethodHead, blob, nil, nil); resp.StatusCode != http.StatusOK || resp.ContentLength != 5<<20 {
		t.Errorf("HEAD: got %s, %d bytes", resp.Status, resp.ContentLength)
	}
	if got := call(t, http.MethodGet, blob, nil, nil).StatusCode; got != http.StatusGone || r.Blob("a", d) != nil {
		t.Errorf("GET: got %d, want 410 and nothing kept", got)
	}
}

func TestRegistryInsistsOnLargeChunks(t *testing.T) {
	t.Parallel()
	r := testworld.NewRegistry(t, testworld.RegistryOptions{ChunkMin: 4})
	resp := call(t, http.MethodPost, r.URL+"/v2/a/blobs/uploads/", nil, nil)
	if got := resp.Header.Get("OCI-Chunk-Min-Length"); got != "4" {
		t.Errorf("got minimum %q, want 4", got)
	}
	at := located(t, r, resp, http.StatusAccepted)
	call(t, http.MethodPatch, at, []byte("abc"), chunk(0, 2))
	if got := call(t, http.MethodPatch, at, []byte("defg"), chunk(3, 6)).StatusCode; got != http.StatusRequestedRangeNotSatisfiable {
		t.Errorf("a chunk after a short one: got %d, want 416", got)
	}
}

func TestRegistryRanges(t *testing.T) {
	t.Parallel()
	r := testworld.NewRegistry(t, testworld.RegistryOptions{})
	d := r.AddBlob("a", []byte("0123456789"))
	resp := call(t, http.MethodGet, r.URL+"/v2/a/blobs/"+d.String(), nil, map[string]string{"Range": "bytes=4-6"})
	if resp.StatusCode != http.StatusPartialContent || resp.data != "456" {
		t.Errorf("got %s %q, want 456", resp.Status, resp.data)
	}
}

func TestRegistryRefusesIncompleteImages(t *testing.T) {
	t.Parallel()
	r := testworld.NewRegistry(t, testworld.RegistryOptions{})
	address := r.URL + "/v2/a/manifests/1"
	const image = "application/vnd.oci.image.manifest.v1+json"
	absent := `{"mediaType":"` + image + `","config":{"digest":"` + digest.FromString("absent").String() + `"}}`
	for _, tt := range []struct {
		name, body, mediaType string
		want                  int
	}{
		{"a blob is missing", absent, image, 404},
		{"another media type", `{"mediaType":"x/y"}`, image, 400},
		{"no JSON", `{`, image, 400},
		{"an empty one", `{}`, image, 201},
	} {
		got := call(t, http.MethodPut, address, []byte(tt.body), map[string]string{"Content-Type": tt.mediaType}).StatusCode
		if got != tt.want {
			t.Errorf("%s: got %d, want %d", tt.name, got, tt.want)
		}
	}
	if got := string(r.Manifest("a", "1")); got != "{}" {
		t.Errorf("got manifest %q", got)
	}
}

func TestRegistryFaults(t *testing.T) {
	t.Parallel()
	data := bytes.Repeat([]byte{1}, 1<<20)
	for _, tt := range []struct {
		name  string
		fault func(r *testworld.Registry) testworld.Fault
		want  string // the status, or "cut"
		then  string // the range of the upload afterwards, or its status if it has none
	}{
		{"status", func(*testworld.Registry) testworld.Fault { return testworld.Status(500, 1) }, "500", "0-0"},
		{"no chunks", func(*testworld.Registry) testworld.Fault { return testworld.RefuseChunks(405, 1) }, "405", "0-0"},
		{"limit", func(*testworld.Registry) testworld.Fault { return testworld.LimitBody(413, 1<<19, 1) }, "413", "0-0"},
		{"later", func(*testworld.Registry) testworld.Fault { return testworld.Later(429, "1", 1) }, "429", "0-0"},
		{"cut and kept", func(*testworld.Registry) testworld.Fault { return testworld.CutUpload(1000, true, 1) }, "cut", "0-999"},
		{"cut and lost", func(*testworld.Registry) testworld.Fault { return testworld.CutUpload(1000, false, 1) }, "cut", "0-0"},
		{"answer lost", func(*testworld.Registry) testworld.Fault { return testworld.LoseAnswer(1) }, "cut", "0-1048575"},
		{"wrong range", func(*testworld.Registry) testworld.Fault { return testworld.WrongRange("0-7", 1) }, "202", "0-1048575"},
		{"short", func(*testworld.Registry) testworld.Fault { return testworld.ShortUpload(1000, 1) }, "202", "0-999"},
		{"forgotten", func(r *testworld.Registry) testworld.Fault { return r.ForgetUpload(0) }, "404", "404"},
		{"slow", func(*testworld.Registry) testworld.Fault { return testworld.SlowUpload(time.Microsecond, 1) }, "202", "0-1048575"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := testworld.NewRegistry(t, testworld.RegistryOptions{})
			at := start(t, r, "a")
			r.Fail("PATCH /v2/**", tt.fault(r))
			got := "cut"
			if resp, err := attempt(t, http.MethodPatch, at, data, chunk(0, 1<<20-1)); err == nil {
				got = strconv.Itoa(resp.StatusCode)
			}
			resp := call(t, http.MethodGet, at, nil, nil)
			then := resp.Header.Get("Range")
			if then == "" {
				then = strconv.Itoa(resp.StatusCode)
			}
			if got != tt.want || then != tt.then {
				t.Errorf("got %s, then %s, want %s, %s", got, then, tt.want, tt.then)
			}
			if n := r.Calls("PATCH /v2/**"); n != 1 {
				t.Errorf("counted %d chunks, want 1", n)
			}
		})
	}
}

func TestRegistryStalls(t *testing.T) {
	t.Parallel()
	r := testworld.NewRegistry(t, testworld.RegistryOptions{})
	at := start(t, r, "a")
	r.Fail("PATCH /v2/**", r.StallUpload(10, 1))
	client := &http.Client{Timeout: 50 * time.Millisecond}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPatch, at, strings.NewReader("0123456789abc"))
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := client.Do(req); err == nil {
		resp.Body.Close()
		t.Errorf("got %s, want nothing", resp.Status)
	}
	r.Heal()
	if got := call(t, http.MethodGet, at, nil, nil).Header.Get("Range"); got != "0-9" {
		t.Errorf("got range %q, want 0-9", got)
	}
	if r.Received() != 10 {
		t.Errorf("%d bytes were received, want 10", r.Received())
	}
	r.Forget()
	if r.Received() != 0 || r.Calls("/v2/**") != 0 {
		t.Error("the counters aren't forgotten")
	}
}

func TestRegistryKeepsNothing(t *testing.T) {
	t.Parallel()
	r := testworld.NewRegistry(t, testworld.RegistryOptions{KeepNothing: true})
	at := start(t, r, "a")
	call(t, http.MethodPatch, at, []byte("abc"), chunk(0, 2))
	r.Fail("PATCH /v2/**", testworld.CutUpload(2, true, 1))
	if _, err := attempt(t, http.MethodPatch, at, []byte("def"), chunk(3, 5)); err == nil {
		t.Error("the connection wasn't cut")
	}
	if got := call(t, http.MethodPatch, at, []byte("xyz"), chunk(3, 5)).StatusCode; got != http.StatusAccepted {
		t.Errorf("got %d, want 202", got)
	}
	if got := commit(t, at, digest.FromString("abcxyz"), nil).StatusCode; got != http.StatusCreated {
		t.Errorf("commit: got %d, want 201: the hash wasn't taken back", got)
	}
}
