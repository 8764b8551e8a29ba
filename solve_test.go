package lamina

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lamina.build/internal/debian"
	"lamina.build/internal/failure"
	"lamina.build/internal/fetch"
	"lamina.build/internal/resolve"
	"lamina.build/internal/resolve/userinfo"
	"lamina.build/internal/resolve/uv"
	"lamina.build/internal/solve"
	"lamina.build/lock"
	"lamina.build/spec"
)

func TestFilesOfAMirrorThatDoNotCome(t *testing.T) {
	down, gone := failure.New(failure.Transient, errors.New("503")), errors.New("404")
	other := fmt.Errorf("%w: x", uv.ErrBytes)
	for _, tt := range []struct {
		name      string
		reason    error
		n         int
		isMirrors bool
		waits     bool
		left      []string // files still taken from the mirror
	}{
		{"down", down, 0, true, true, nil},
		{"down again", down, fetchRetries, true, false, nil},
		{"gone", gone, 0, true, false, []string{"b"}},
		{"without a login", failure.New(failure.Usage, gone), 0, true, false, nil},
		{"replaced", other, 0, true, false, []string{"b"}},
		{"no mirror, down again", down, fetchRetries, false, false, nil},
		{"no mirror, wrong bytes", other, 0, false, true, nil},
		{"no mirror, wrong bytes again", other, 1, false, false, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := isWorthWaiting(tt.reason, tt.n, tt.isMirrors); got != tt.waits {
				t.Errorf("it is worth waiting: %t", got)
			}
			if !tt.isMirrors || tt.waits {
				return
			}
			j := job{python: resolve.Access{Mirror: uv.Mirror{Dir: filepath.Join(t.TempDir(), "mirrors"), Has: map[string]string{"a": "x", "b": "y"}}}}
			if err := j.leaveMirror(lock.Distribution{SHA256: "a"}, tt.reason, 1); err != nil {
				t.Fatal(err)
			}
			if left := slices.Collect(maps.Keys(j.python.Mirror.Has)); !slices.Equal(left, tt.left) {
				t.Errorf("left %q", left)
			}
			if err := j.leaveMirror(lock.Distribution{SHA256: "a"}, tt.reason, mostLost+1); err != nil || len(j.python.Mirror.Has) > 0 {
				t.Errorf("after many, left %q, %v", j.python.Mirror.Has, err)
			}
		})
	}
}

// Files that a lock has from a third party come from a configured mirror or not at all.
func TestStrangeFilesOfAMirror(t *testing.T) {
	for kind, reason := range map[failure.Kind]error{failure.Findings: errors.New("404"), failure.Transient: failure.New(failure.Transient, errors.New("503"))} {
		j := job{python: resolve.Access{
			Mirror:  uv.Mirror{Dir: filepath.Join(t.TempDir(), "mirrors"), Has: map[string]string{"a": "x", "b": "y", "c": "z"}},
			Strange: map[string]bool{"a": true, "b": true},
		}}
		err := j.leaveMirror(lock.Distribution{SHA256: "a"}, reason, 1)
		if !errors.Is(err, reason) || failure.KindOf(err) != kind || len(failure.Hints(err)) != 1 {
			t.Errorf("a strange file: %v, %q", err, failure.Hints(err))
		}
		err = j.leaveMirror(lock.Distribution{SHA256: "c"}, failure.New(failure.Transient, reason), 1)
		if _, has := j.python.Mirror.Has["b"]; err != nil || !has {
			t.Errorf("a strange file is fetched from where it was locked: %q, %v", j.python.Mirror.Has, err)
		}
	}
}

// After a refused login, only unset variables for the host that refused it are reported.
func TestNotSet(t *testing.T) {
	unset := []userinfo.Unset{
		{Host: "index.example:8443", Err: errors.New("requirements.txt:1: variable A is not set")},
		{Host: "other.example", Err: errors.New("requirements.txt:2: variable B is not set")},
	}
	for address, want := range map[string]string{
		"https://index.example:8443/a.whl": "requirements.txt:1: variable A is not set",
		"https://files.example/a.whl":      "",
	} {
		err := notSet(unset, address)
		if want == "" && err != nil || want != "" && (err == nil || err.Error() != want) {
			t.Errorf("%s: got %v, want %q", address, err, want)
		}
	}
}

// A step that fetched an address belongs to the distribution at that address.
func TestDistributionOfAStep(t *testing.T) {
	j := job{
		lock: lock.Lock{
			UV: lock.UV{File: "uv.whl", URL: "https://f.example/uv.whl", SHA256: "u"},
			Distributions: []lock.Distribution{
				{Name: "a", URL: "https://f.example/a.whl", SHA256: "a"}, {Name: "b", URL: "https://f.example/b.zip#subdirectory=x", SHA256: "b"},
			},
		},
		python: resolve.Access{Mirror: uv.Mirror{Has: map[string]string{"a": "https://mirror.example/a.whl"}}},
	}
	for address, want := range map[string]string{
		"https://mirror.example/a.whl": "a", "https://f.example/a.whl": "", "https://f.example/b.zip": "b", "https://f.example/uv.whl": "uv", "": "",
	} {
		d, ok := j.distributionOf(fmt.Errorf("building: %w", &solve.Error{Step: "x", URL: address, Err: errors.New("404")}))
		if d.Name != want || ok != (want != "") || ok && d.URL != address {
			t.Errorf("%s belongs to %q at %s", address, d.Name, d.URL)
		}
	}
	if _, ok := j.distributionOf(errors.New("another")); ok {
		t.Error("another error belongs to a distribution")
	}
	j.spec.Git = []spec.Git{{URL: "https://git.example/x"}}
	got := slices.Sorted(slices.Values(j.addresses()))
	want := []string{"https://f.example/a.whl", "https://f.example/b.zip#subdirectory=x", "https://f.example/uv.whl", "https://git.example/x", "https://mirror.example/a.whl"}
	if !slices.Equal(got, want) {
		t.Errorf("addresses are %q", got)
	}
}

// The snapshot archive is tried for what a mirror doesn't have, but not for models.
func TestUnfetched(t *testing.T) {
	step := &solve.Error{Step: "x", URL: "https://deb.example/x.deb", Err: errors.New("digest mismatch")}
	for want, list := range map[bool][]error{
		true:  {step, fmt.Errorf("x: %w", &fetch.StatusError{Code: http.StatusNotFound})},
		false: {nil, errors.New("x"), &solve.Error{Step: "compile", Err: errors.New("exit code: 1")}, &modelError{"hf://org/one@main", step}, &fetch.StatusError{Code: http.StatusForbidden}},
	} {
		for _, err := range list {
			if unfetched(err) != want {
				t.Errorf("%v is unfetched: %t", err, !want)
			}
		}
	}
}

// The mirror itself is asked about a file that the engine reports as a wrong hash.
func TestReasonOfAPackage(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	err := &solve.Error{Step: "fetch x.deb", URL: server.URL + "/x.deb", Err: errors.New("digest mismatch")}
	if got := (job{}).reason(t.Context(), err); !debian.IsNotFound(got) || !strings.HasPrefix(got.Error(), "fetch x.deb: ") {
		t.Errorf("got %v", got)
	}
	if other := errors.New("x"); !errors.Is((job{}).reason(t.Context(), other), other) {
		t.Error("another error has another reason")
	}
}
