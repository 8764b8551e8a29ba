package solve

import (
	"errors"
	"testing"

	"lamina.build/internal/failure"
)

func TestWhoDidNotAnswer(t *testing.T) {
	refused := errors.New("failed to do request: Head \"https://127.0.0.1:1/v2/\": dial tcp 127.0.0.1:1: connect: connection refused")
	for name, tt := range map[string]struct {
		err  error
		kind failure.Kind
	}{
		"a registry":             {refused, failure.Transient},
		"a repository":           {&Error{Step: "git x", Err: errors.New("git stderr: fatal: unable to access: Could not resolve host: git.example: exit status 128")}, failure.Transient},
		"a registry that is ill": {errors.New("unexpected status from PUT request: 503 Service Unavailable"), failure.Transient},
		"an exec":                {&Error{Step: "smoke: x", Output: "connection refused", Err: errors.New("exit code: 1: connection refused")}, failure.Failure},
		"a file":                 {&Error{Step: "fetch x", URL: "https://x", Err: refused}, failure.Failure},
		"denied":                 {errors.New("401 Unauthorized"), failure.Failure},
	} {
		if got := failure.KindOf(passing(tt.err)); got != tt.kind {
			t.Errorf("%s: kind %d, want %d", name, got, tt.kind)
		}
	}
	if err := passing(nil); err != nil {
		t.Error(err)
	}
}
