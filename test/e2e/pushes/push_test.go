package pushes

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"lamina.build/internal/test/e2etest"
	"lamina.build/internal/test/testworld"
)

// says returns a registry's refusal in the spec's form, with a detail.
func says(status int, code, message, detail string) testworld.Fault {
	return testworld.Answer(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		rw.WriteHeader(status)
		fmt.Fprintf(rw, `{"errors":[{"code":%q,"message":%q,"detail":%s}]}`, code, message, detail)
	}, testworld.Always)
}

// secret matches what authorizes continuing an upload.
var secret = regexp.MustCompile(`/uploads/[^:\s"]|_state`)

// A registry's refusal of a push is reported in its own words, with a hint and the right exit
// code; a transient one is retried. An engine that imports a cache pushes by itself, without
// dividing a layer.
func TestRealPushesThatARegistryRefuses(t *testing.T) {
	t.Parallel()
	const uploads, blobs = "POST /v2/app/**", "PUT /v2/app/blobs/**"
	for name, tt := range map[string]struct {
		options testworld.RegistryOptions
		where   string
		fault   testworld.Fault
		code    int
		says    []string
		by      string // who pushes; "" is each
	}{
		"a login is wanted": {testworld.RegistryOptions{User: "me", Password: "x"}, "", testworld.Fault{}, 2, []string{"401", "hint: log in with docker login"}, ""},
		"another login": {
			testworld.RegistryOptions{},
			uploads, says(403, "DENIED", "not you", `"only the team may push"`), 2,
			[]string{"DENIED not you (only the team may push)", "hint: log in with docker login"},
			"",
		},
		"a quota": {
			testworld.RegistryOptions{},
			uploads, says(403, "DENIED", "no", `{"reason":"adding 3 MiB exceeds the quota of 1 GiB"}`), 1,
			[]string{"exceeds the quota of 1 GiB", "hint: the registry's quota is exhausted"},
			"",
		},
		"read-only": {
			testworld.RegistryOptions{},
			uploads, says(405, "UNSUPPORTED", "the operation is unsupported", `null`), 1,
			[]string{"UNSUPPORTED", "hint: the registry accepts no pushes"},
			"",
		},
		"too large":            {testworld.RegistryOptions{}, "/v2/app/blobs/**", testworld.LimitBody(413, 1000, testworld.Always), 1, []string{"too large for 127.0.0.1", "hint: raise the limit of the proxy"}, "client"},
		"too large at all":     {testworld.RegistryOptions{}, blobs, testworld.LimitBody(413, 1000, testworld.Always), 1, []string{"413", "hint: raise the limit of the proxy"}, "engine"},
		"too large at once":    {testworld.RegistryOptions{}, blobs, testworld.LimitBody(413, 9<<20, testworld.Always), 0, nil, "client"},
		"once too often":       {testworld.RegistryOptions{}, "/v2/app/**", testworld.Later(429, "1", 12), 0, nil, ""},
		"500 at first":         {testworld.RegistryOptions{}, uploads, testworld.Status(500, 3), 0, nil, ""},
		"503 for a while":      {testworld.RegistryOptions{}, blobs, testworld.Status(503, 6), 0, nil, ""},
		"cut":                  {testworld.RegistryOptions{}, blobs, testworld.CutUpload(1000, false, 3), 0, []string{"pushing layer"}, ""},
		"a token that expires": {testworld.RegistryOptions{Tokens: true}, blobs, testworld.Status(401, 1), 0, nil, ""},
		"503 for an hour": {
			testworld.RegistryOptions{},
			uploads, testworld.Later(503, "3600", testworld.Always), 75,
			[]string{"503 Service Unavailable (retry in 1h0m0s)", "hint: check the network", "then run it again"},
			"",
		},
		"the second tag": {
			testworld.RegistryOptions{},
			"PUT /v2/app/manifests/2", says(403, "DENIED", "no", `"2 is immutable"`), 2,
			[]string{"tagging the image", "2 is immutable"},
			"",
		},
		"a full disk": {
			testworld.RegistryOptions{},
			uploads, says(500, "UNKNOWN", "unknown error", `{"Err":"no space left on device"}`), 75,
			[]string{"no space left on device", "hint: the registry's disk is full"},
			"",
		},
	} {
		for by, more := range map[string][]string{"client": nil, "engine": {"--cache-from", "127.0.0.1:1/cache"}} {
			if tt.by != "" && tt.by != by {
				continue
			}
			t.Run(name+", by the "+by, func(t *testing.T) {
				t.Parallel()
				u, dir, r := e2etest.NewUser(t), e2etest.Small(t), testworld.NewRegistry(t, tt.options)
				if tt.where != "" {
					r.Fail(tt.where, tt.fault)
				}
				run := u.Run(t, append(more, dir, "-t", r.Host+"/app:1", "-t", r.Host+"/app:2", "--push", "--insecure-registry", "--smoke", "off", "--progress", "plain")...)
				if run.Code != tt.code {
					t.Errorf("exit code %d, want %d", run.Code, tt.code)
				}
				for _, text := range tt.says {
					if !strings.Contains(run.Stderr, text) {
						t.Errorf("it does not print %q", text)
					}
				}
				if found := secret.FindString(run.Stderr); found != "" {
					t.Errorf("it prints the upload's location: %s", found)
				}
				if t.Failed() {
					t.Log(e2etest.Tail(run.Stderr))
				}
				if tags := r.Manifest("app", "2") != nil; tags != (tt.code == 0) {
					t.Errorf("the registry has the image: %t", tags)
				}
			})
		}
	}
}

// A registry with an untrusted certificate.
func TestRealPushThatNobodySigned(t *testing.T) {
	t.Parallel()
	url, _ := testworld.ServeTLS(t, testworld.Away(t)+":0", http.NotFoundHandler())
	u, dir := e2etest.NewUser(t), e2etest.Small(t)
	u.Fails(t, 2, []string{"certificate", "hint: "}, dir, "-t", strings.TrimPrefix(url, "https://")+"/app:1", "--push", "--smoke", "off", "--progress", "quiet")
}

// A registry that restarts during a push has the image in the end.
func TestRealPushThroughARestart(t *testing.T) {
	t.Parallel()
	u, dir, r := e2etest.NewUser(t), e2etest.Small(t), testworld.NewRegistry(t, testworld.RegistryOptions{})
	addr, restart := restarting(t, r.Host)
	var once atomic.Bool
	r.Fail("PUT /v2/app/blobs/**", testworld.Around(testworld.Always, func(rw http.ResponseWriter, req *http.Request, right http.Handler) {
		if once.CompareAndSwap(false, true) {
			go restart(12 * time.Second) // longer than an engine itself retries
			panic(http.ErrAbortHandler)
		}
		right.ServeHTTP(rw, req)
	}))
	run := u.Build(t, dir, "-t", addr+"/app:1", "--push", "--insecure-registry", "--smoke", "off", "--progress", "quiet")
	if r.Manifest("app", "1") == nil || !once.Load() {
		t.Errorf("the registry has no image, or was not restarted:\n%s", e2etest.Tail(run.Stderr))
	}
}

// A cache that can't be written, or is empty, is reported; the image is in its place.
func TestRealCachesThatFail(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		to   string
		code int
		says string
	}{
		"refused":        {"", 0, "DENIED"},
		"that must work": {",ignore-error=false", 2, "DENIED"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u, dir, r := e2etest.NewUser(t), e2etest.Small(t), testworld.NewRegistry(t, testworld.RegistryOptions{})
			r.Fail("POST /v2/cache/**", says(403, "DENIED", "no caches here", `"x"`))
			metadata := filepath.Join(t.TempDir(), "made.json")
			run := u.Run(t, dir, "-t", r.Host+"/app:1", "--push", "--insecure-registry", "--smoke", "off", "--progress", "plain", "--metadata-file", metadata,
				"--cache-to", "type=registry,ref="+r.Host+"/cache"+tt.to, "--cache-from", "type=registry,ref="+r.Host+"/cache")
			if run.Code != tt.code || r.Manifest("app", "1") == nil {
				t.Fatalf("exit code %d, want %d, and the image\n%s", run.Code, tt.code, e2etest.Tail(run.Stderr))
			}
			if !strings.Contains(run.Stderr, "build: warning: nothing imported from cache "+r.Host+"/cache") {
				t.Errorf("the missing cache is not reported:\n%s", e2etest.Tail(run.Stderr))
			}
			if tt.code != 0 {
				return
			}
			if !strings.Contains(run.Stderr, "build: warning: the image is complete") {
				t.Errorf("the refused cache is not reported:\n%s", e2etest.Tail(run.Stderr))
			}
			var made map[string]any
			text, err := os.ReadFile(metadata)
			if err == nil {
				err = json.Unmarshal(text, &made)
			}
			if faults, ok := made["lamina.cache-problems"].([]any); err != nil || !ok || len(faults) != 1 || !strings.Contains(fmt.Sprint(faults[0]), "403") {
				t.Errorf("the metadata is %s, %v", text, err)
			}
		})
	}
}
