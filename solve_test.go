package lamina

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"testing"

	"lamina.build/internal/failure"
	"lamina.build/internal/resolve"
	"lamina.build/internal/resolve/requirements"
	"lamina.build/internal/resolve/uv"
	"lamina.build/lock"
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
		left      []string // of the files of the mirror
	}{
		{"down", down, 0, true, true, nil},
		{"down again", down, fetchRetries, true, false, nil},
		{"gone", gone, 0, true, false, []string{"b"}},
		{"without a login", failure.New(failure.Usage, gone), 0, true, false, nil},
		{"replaced", other, 0, true, false, []string{"b"}},
		{"no mirror, down again", down, fetchRetries, false, false, nil},
		{"no mirror, other bytes", other, 0, false, true, nil},
		{"no mirror, other bytes again", other, 1, false, false, nil},
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
				t.Errorf("left are %q", left)
			}
			if err := j.leaveMirror(lock.Distribution{SHA256: "a"}, tt.reason, mostLost+1); err != nil || len(j.python.Mirror.Has) > 0 {
				t.Errorf("of many, left are %q, %v", j.python.Mirror.Has, err)
			}
		})
	}
}

// A login that was refused may be one whose token is not set: of the host that
// refused it, and of no other.
func TestNotSet(t *testing.T) {
	unset := []requirements.Unset{
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
