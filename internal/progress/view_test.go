package progress

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/moby/buildkit/client"
)

// Terminals of several sizes show a recorded build at fixed times.
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
				view.End(now)
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

// Sources whose cache keys are only looked up are neither fetched nor done during a build.
func TestALookIsNoWork(t *testing.T) {
	view := New("", map[string]int64{"fetch a": 5, "fetch b": 5})
	cached := func(v *client.Vertex) { v.Cached = true }
	for _, s := range []*client.SolveStatus{
		told(vertex("fetch a", nil, nil), vertex("fetch b", nil, nil), vertex("runtime: gather packages", nil, nil)),
		told(vertex("fetch a", at(0), at(2)), vertex("fetch b", at(0), at(2))),
		told(with(vertex("runtime: gather packages", at(2), at(2)), cached)),
	} {
		view.Update(s, epoch)
	}
	if got, want := view.View(*at(3), 60, 24), []string{"· fetch", "✓ runtime  from the cache"}; !slices.Equal(trimmed(got), want) {
		t.Errorf("it shows %q, want %q", got, want)
	}
	view.Update(told(vertex("fetch a", at(3), nil)), *at(3))
	view.Update(told(vertex("fetch a", at(3), at(4))), *at(4))
	view.End(*at(4))
	if got, want := view.View(*at(5), 60, 24), []string{"✓ fetch    1 file  5 B", "✓ runtime  from the cache"}; !slices.Equal(trimmed(got), want) {
		t.Errorf("at the end it shows %q, want %q", got, want)
	}
}

// trimmed returns lines without the times at their ends.
func trimmed(lines []string) []string {
	for i, line := range lines {
		lines[i] = strings.TrimSpace(regexp.MustCompile(`  +\d+s$`).ReplaceAllString(line, ""))
	}
	return lines
}

// An engine's clock may differ, and a step that fails stops others.
func TestStepsThatFail(t *testing.T) {
	view := New("", nil)
	ours := epoch.Add(-48 * time.Hour)
	view.Update(told(vertex("a: compile", at(0), nil), vertex("b: compile", at(0), nil), vertex("c: compile", at(0), nil), vertex("d: compile", at(0), nil), vertex("e: compile", at(0), nil)), ours)
	want := []string{"• wheels   a: compile", "• wheels   b: compile", "• wheels   c: compile", "• wheels   and 2 more"}
	got := view.View(ours.Add(5*time.Second), 60, 24)
	if !strings.HasSuffix(got[0], " 5s") || !slices.Equal(trimmed(got), want) {
		t.Errorf("it shows %q, want %q", got, want)
	}
	cut := *view
	cut.list = []*step{{stage: Wheels, name: "z: compile", began: ours, started: ours}}
	cut.End(ours.Add(2 * time.Second))
	if got, want := cut.View(ours, 60, 24), "- wheels   z: compile "; len(got) != 1 || !strings.HasPrefix(got[0], want) || !strings.HasSuffix(got[0], " 2s") {
		t.Errorf("an interrupted build shows %q, want %q", got, want)
	}
	fails := func(text string) func(v *client.Vertex) { return func(v *client.Vertex) { v.Error = text } }
	for _, name := range []string{"a: compile", "c: compile", "d: compile", "e: compile"} {
		view.Update(told(with(vertex(name, at(0), at(6)), fails("context canceled"))), ours)
	}
	view.Update(told(with(vertex("b: compile", at(0), at(6)), fails("exit code: 1"))), ours)
	if got, want := view.View(ours, 60, 24), []string{"✗ wheels   b: compile"}; !slices.Equal(trimmed(got), want) {
		t.Errorf("it shows %q, want %q", got, want)
	}
}

// Bytes that a step reports have a rate and a time left.
func TestBytes(t *testing.T) {
	view := New("", nil)
	push := &client.Vertex{Digest: "push", Name: "exporting to image", Started: at(0)}
	view.Update(told(push), epoch)
	view.Update(&client.SolveStatus{Statuses: []*client.VertexStatus{
		{Vertex: "push", ID: "a", Current: 2e9, Total: 2e9}, {Vertex: "push", ID: "b", Current: 1e9, Total: 10e9}, {Vertex: "push", ID: "c", Current: 7},
	}}, epoch)
	for columns, want := range map[int]string{
		100: "• export   exporting to image  25 %  5m0s left  3.00 GB of 12.00 GB  30.0 MB/s 1m40s",
		60:  "• export   exporting to image  25 %  5m0s left        1m40s",
		20:  "• export  exportin…",
	} {
		if got := view.View(*at(100), columns, 24); len(got) != 1 || got[0] != want {
			t.Errorf("%d columns show %q, want %q", columns, got, want)
		}
	}
}
