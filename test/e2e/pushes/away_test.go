package pushes

import (
	"testing"

	"lamina.build/internal/test/e2etest"
)

// A push to a name that doesn't resolve is retried for a minute. So this test comes first in
// its package, by its file's name, and waits while the others run.
func TestRealPushToNowhere(t *testing.T) {
	t.Parallel()
	u, dir := e2etest.NewUser(t), e2etest.Small(t)
	u.Fails(t, 75, []string{"nowhere.invalid", "hint: check the name"}, dir, "-t", "nowhere.invalid/app:1", "--push", "--smoke", "off", "--progress", "quiet")
}
