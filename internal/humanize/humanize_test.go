package humanize_test

import (
	"testing"
	"time"

	"lamina.build/internal/humanize"
)

func TestSize(t *testing.T) {
	for bytes, want := range map[int64]string{
		0: "0 B", 999: "999 B", 1000: "1.0 kB", 999_949: "999.9 kB", 999_950: "1.0 MB",
		58_234_567: "58.2 MB", 999_950_000: "1.00 GB", 72_400_000_000: "72.40 GB",
	} {
		if got := humanize.Size(bytes); got != want {
			t.Errorf("Size(%d) is %q, want %q", bytes, got, want)
		}
	}
}

func TestDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0:                          "0.00 s",
		730 * time.Millisecond:     "0.73 s",
		12345 * time.Millisecond:   "12.3 s",
		time.Minute:                "1 min 0 s",
		3599600 * time.Millisecond: "60 min 0 s",
	} {
		if got := humanize.Duration(d); got != want {
			t.Errorf("Duration(%v) is %q, want %q", d, got, want)
		}
	}
}

func TestCount(t *testing.T) {
	for n, want := range map[int]string{0: "0 layers", 1: "1 layer", 2: "2 layers"} {
		if got := humanize.Count(n, "layer"); got != want {
			t.Errorf("Count(%d) is %q, want %q", n, got, want)
		}
	}
}
