package resolve_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lamina.build/lock"
)

// A lock answers a spec on each of its platforms. Drift of all of them is listed once.
func TestDriftOfPlatforms(t *testing.T) {
	p, one := claimed(t)
	p.Requirements.Platforms = []string{"linux/amd64", "linux/arm64"}
	drifts := func(l lock.Lock, want ...string) {
		t.Helper()
		if got, err := p.Drift(l); err != nil || !cmp.Equal(got, want) {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
	drifts(one, "platform: the spec adds linux/arm64")
	further := clone(one)
	further.Platform = "linux/arm64"
	both := lock.Join([]lock.Lock{one, further})
	got, err := p.Drift(both)
	if err != nil || len(got) == 0 || slices.ContainsFunc(got, func(s string) bool { return len(s) < 13 || s[:13] != "linux/arm64: " }) {
		t.Errorf("packages of amd64 pass for those of arm64, or others don't: %q, %v", got, err)
	}
	both = clone(both)
	both.Requests[0].Packages = append(slices.Clone(both.Requests[0].Packages), "more")
	drifts(both, "base: the spec no longer has more")
	p.Requirements.Platforms = p.Requirements.Platforms[:1]
	both = lock.Join([]lock.Lock{one, further})
	drifts(both, "platform: the spec no longer has linux/arm64")
}
