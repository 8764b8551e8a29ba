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
		"engine   not running\nroot ":          {},
		"engine   starting or stopping\nroot ": {Running: true},
		"engine   running since ":              {Running: true, PID: 7, Version: "v0.34.2"},
	} {
		if got := Engine(st); !strings.HasPrefix(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// The status of a running engine has every field.
func TestEngineInFull(t *testing.T) {
	got := Engine(engine.Status{Running: true, PID: 7, Version: "v0.34.2", Address: "unix:///x", Clients: 2, Kept: true, Root: "/root", Disk: 3_000_000_000, Free: 1500, Log: "/log"})
	_, rest, _ := strings.Cut(got, "\n")
	want := "address  unix:///x\nbuilds   2\nkept up  true\nroot     /root: 3.00 GB, 1.5 kB free\nlog      /log\n"
	if diff := cmp.Diff(want, rest); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
}

// Long descriptions are cut between characters, and at the end of their first line.
func TestFirstLine(t *testing.T) {
	long := strings.Repeat("ä", lineWidth)
	for text, want := range map[string]string{
		"": "", "one": "one", "one\ntwo": "one", long: long, long + "x": strings.Repeat("ä", lineWidth-1) + "…",
	} {
		if got := firstLine(text); got != want {
			t.Errorf("%q becomes %q", text, got)
		}
	}
}

func TestFreedAndWritten(t *testing.T) {
	if got := Freed(1_500_000, 1) + Freed(0, 0); got != "freed 1.5 MB in 1 record\nfreed 0 B in 0 records\n" {
		t.Errorf("got %q", got)
	}
	if got := Written("pylock.toml", 2, "package"); got != "pylock.toml: 2 packages\n" {
		t.Errorf("got %q", got)
	}
}
