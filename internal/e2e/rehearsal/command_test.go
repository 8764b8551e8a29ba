package rehearsal

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"lamina.build/internal/e2etest"
)

// The command does on its own what the tests do, and knows a lock from the last time.
func TestRealRehearseCommand(t *testing.T) {
	u := e2etest.NewUser(t)
	keep := filepath.Join(t.TempDir(), "kept")
	r := u.Build(t, "rehearse", "--variant", "minimal,checked", "--progress", "quiet", "--keep", keep)
	if !regexp.MustCompile(`(?m)^minimal +9 .* s of film, .*\nchecked +10 .* s of film`).MatchString(r.Stdout) {
		t.Errorf("printed\n%s\n%s", r.Stdout, r.Stderr)
	}
	l := e2etest.ReadLock(t, filepath.Join(keep, "project"))
	if len(l.Models) != 1 || len(l.Distributions) < 100 {
		t.Errorf("the lock has %d models and %d distributions", len(l.Models), len(l.Distributions))
	}
	u.Fails(t, 2, []string{"flag --keep: folder", "is not an empty one"}, "rehearse", "--keep", keep)

	u.Fails(t, 2, []string{"would be copied into itself"}, "rehearse", filepath.Join(keep, "project"), "--keep", filepath.Join(keep, "project", "sub"))

	r = u.Build(t, "rehearse", "--variant", "minimal")
	if strings.Contains(r.Stderr, "uv resolves") {
		t.Errorf("what was locked before is resolved again:\n%s", e2etest.Tail(r.Stderr))
	}
	u.Fails(t, 2, []string{
		"image.toml names no revision of a model of a hub", "hint: rehearsals are for the example wan22-animate",
	}, "rehearse", filepath.Join(e2etest.Root(t), "examples", "faceblend"))
	u.Fails(t, 2, []string{`no variant "nope"`}, "rehearse", "--variant", "nope")
}
