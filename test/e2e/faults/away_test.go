package faults

import (
	"testing"

	"lamina.build/internal/test/e2etest"
)

// A push to a name that leads nowhere is tried again for a minute. So this test comes first
// in its package, by the name of its file, and waits next to the others.
func TestRealPushToNowhere(t *testing.T) {
	t.Parallel()
	u, dir := e2etest.NewUser(t), small(t)
	u.Fails(t, 75, []string{"nowhere.invalid", "hint: check the name"}, dir, "-t", "nowhere.invalid/app:1", "--push", "--smoke", "off", "--progress", "quiet")
}
