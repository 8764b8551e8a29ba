package report

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/buildkit/client"

	"lamina.build/internal/engine"
)

func TestCache(t *testing.T) {
	got := Cache([]*client.UsageInfo{
		{Size: 1000, RecordType: "regular", Description: "small", InUse: true},
		{Size: 3_000_000_000, RecordType: "exec.cachemount", Description: "large\nsecond line"},
	})
	want := "SIZE     KIND             IN USE  WHAT\n" +
		"3.00 GB  exec.cachemount  false   large\n" +
		"1.0 kB   regular          true    small\n" +
		"3.00 GB in 2 records, 3.00 GB of it not in use\n"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("usage (-want +got):\n%s", diff)
	}
}

func TestCacheOfOneRecord(t *testing.T) {
	if got := Cache([]*client.UsageInfo{{Size: 5}}); !strings.Contains(got, "5 B in 1 record, 5 B of it") {
		t.Errorf("got %q", got)
	}
}

func TestEngine(t *testing.T) {
	for want, st := range map[string]engine.Status{
		"engine   not running\nroot ":        {},
		"engine   starting or ending\nroot ": {Running: true},
		"engine   running since ":            {Running: true, PID: 7, Version: "v0.34.2"},
	} {
		if got := Engine(st); !strings.HasPrefix(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
