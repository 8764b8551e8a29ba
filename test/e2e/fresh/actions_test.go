package fresh

import (
	"slices"
	"strings"
	"testing"

	"lamina.build/internal/test/e2etest"
	"lamina.build/internal/test/testworld"
)

// GitHub's own runners name both versions of the cache service, and only the second one works.
func TestRealCacheOfGitHubActions(t *testing.T) {
	t.Parallel()
	c := testworld.NewActionsCache(t, e2etest.Secret)
	carries(t, "type=gha", []string{
		"ACTIONS_CACHE_SERVICE_V2=True", "ACTIONS_RESULTS_URL=" + c.URL + "/", "ACTIONS_CACHE_URL=http://127.0.0.1:1/", "ACTIONS_RUNTIME_TOKEN=" + c.Token,
	})
	u, dir := e2etest.NewUser(t), e2etest.Small(t)
	u.Env = []string{"ACTIONS_RESULTS_URL=" + c.URL + "/", "ACTIONS_RUNTIME_TOKEN="}
	if r := u.Build(t, dir, "--smoke", "off", "--cache-to", "type=gha"); !strings.Contains(r.Stderr, "will miss a cache: exporting cache gha") || !strings.Contains(r.Stderr, "ghaction-github-runtime") {
		t.Errorf("without a token it prints:\n%s", e2etest.Tail(r.Stderr))
	}
	index := func(key string) bool { return strings.HasPrefix(key, "index-cache-production-linux-amd64-1-") }
	if keys := c.Entries(); len(keys) < 2 || !slices.ContainsFunc(keys, index) {
		t.Errorf("the service has %q", keys)
	}
}
