package engine_test

import (
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/moby/buildkit/client"

	"lamina.build/internal/engine"
	"lamina.build/internal/test/enginetest"
)

// The engine itself reads buildkitd.toml here, so that an unknown key shows as a missing rule.
func TestConfigurationIsWhatTheEngineRunsWith(t *testing.T) {
	workers, err := enginetest.Client(t).ListWorkers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(workers) != 1 {
		t.Fatalf("got %d workers, want one", len(workers))
	}
	w := workers[0]
	for label, want := range map[string]string{
		"org.mobyproject.buildkit.worker.snapshotter": "overlayfs",
		"org.mobyproject.buildkit.worker.network":     "host",
		"org.mobyproject.buildkit.worker.executor":    "oci",
	} {
		if got := w.Labels[label]; got != want {
			t.Errorf("got %s = %q, want %q", label, got, want)
		}
	}
	if len(w.GCPolicy) != 4 {
		t.Fatalf("got rules %+v, want the four of buildkitd.toml", w.GCPolicy)
	}
	for i, rule := range w.GCPolicy {
		if rule.ReservedSpace == 0 || rule.MaxUsedSpace <= rule.ReservedSpace {
			t.Errorf("rule %d keeps %d and caps at %d bytes", i, rule.ReservedSpace, rule.MaxUsedSpace)
		}
	}
	checkCacheMountsSurvive(t, w.GCPolicy)
}

// checkCacheMountsSurvive checks that only the last rule, for a full disk, removes cache mounts
// that were used within a month.
func checkCacheMountsSurvive(t *testing.T, rules []client.PruneInfo) {
	t.Helper()
	last := rules[len(rules)-1]
	if last.KeepDuration != 0 || !last.All || len(last.Filter) != 0 {
		t.Errorf("got last rule %+v, want one without an age that removes everything", last)
	}
	for i, rule := range rules[:len(rules)-1] {
		takes := len(rule.Filter) == 0 || slices.Contains(rule.Filter, "type==exec.cachemount")
		if takes && rule.KeepDuration.Hours() < 30*24 {
			t.Errorf("rule %d removes cache mounts after %s", i, rule.KeepDuration)
		}
		if rule.MaxUsedSpace > last.MaxUsedSpace {
			t.Errorf("rule %d caps at %d bytes, behind the last rule's %d", i, rule.MaxUsedSpace, last.MaxUsedSpace)
		}
	}
}

// The client and the engine have the same version, which each file names once.
func TestVersionIsPinnedAlike(t *testing.T) {
	pin := regexp.MustCompile(`(?m)^\s*(?:require )?github\.com/moby/buildkit (\S+)`)
	for _, file := range []string{"engine.mod", "../../go.mod"} {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		m := pin.FindSubmatch(data)
		if m == nil || string(m[1]) != engine.Version {
			t.Errorf("%s pins %q, want %s", file, m, engine.Version)
		}
	}
}
