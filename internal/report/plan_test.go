package report_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"lamina.build/internal/report"
)

func TestPlan(t *testing.T) {
	got := report.Plan([]report.Planned{
		{Stage: "runtime", What: "3 Debian packages", Fetched: 1500},
		{Stage: "wheels", What: "torch 2.6.0", Fetched: 768_000_000, Unpacked: 1_600_000_000},
		{Stage: "app", What: "/app", Unpacked: 10},
	})
	want := `LAYER     FETCHED  UNPACKED  WHAT
runtime    1.5 kB         -  3 Debian packages
wheels   768.0 MB   1.60 GB  torch 2.6.0
app             -      10 B  /app
total    768.0 MB   1.60 GB  3 layers, as far as the lock knows
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("plan (-want +got):\n%s", diff)
	}
}
