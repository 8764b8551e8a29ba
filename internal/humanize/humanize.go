// Package humanize formats numbers for people.
package humanize

import (
	"fmt"
	"time"
)

// Size formats bytes in powers of ten, as registries count: "58.2 MB".
func Size(bytes int64) string {
	switch n := float64(bytes); {
	case bytes < 1e3:
		return fmt.Sprintf("%d B", bytes)
	case n < 999.95e3:
		return fmt.Sprintf("%.1f kB", n/1e3)
	case n < 999.95e6:
		return fmt.Sprintf("%.1f MB", n/1e6)
	default:
		return fmt.Sprintf("%.2f GB", n/1e9)
	}
}

// Duration formats a duration with the digits that matter: "0.73 s", "3 min 20 s".
func Duration(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return fmt.Sprintf("%.2f s", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	d = d.Round(time.Second)
	return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
}

// Count formats a number of things: "1 layer", "2 layers".
func Count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
