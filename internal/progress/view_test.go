package progress

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// What terminals of several sizes show of a recorded build at fixed times.
func TestFrames(t *testing.T) {
	events, sizes := recorded(t)
	for _, size := range []struct{ columns, rows int }{{80, 24}, {20, 24}, {60, 6}} {
		var b strings.Builder
		view, next := New("", sizes), 0
		for _, seconds := range []int{1, 3, 6, 9, 30, 60, 105, 120, 150, 180, 205, 1000} {
			now := events[0].at.Add(time.Duration(seconds) * time.Second)
			for ; next < len(events) && !events[next].at.After(now); next++ {
				view.Update(events[next].status, events[next].at)
			}
			if next == len(events) {
				view.End()
			}
			lines := view.View(now, size.columns, size.rows)
			fmt.Fprintf(&b, "after %d s\n%s\n\n", seconds, strings.Join(lines, "\n"))
			if len(lines) >= size.rows {
				t.Errorf("%d lines for %d rows", len(lines), size.rows)
			}
			for _, line := range lines {
				if cells(line) >= size.columns {
					t.Errorf("%d columns for %d: %s", cells(line), size.columns, line)
				}
			}
		}
		golden(t, fmt.Sprintf("frames_%dx%d.txt", size.columns, size.rows), b.String())
	}
}
