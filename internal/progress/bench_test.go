package progress

import (
	"io"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// cpu has a benchmark report the CPU time of its own process.
func cpu(b *testing.B) (end func()) {
	used := func() int64 {
		var u unix.Rusage
		if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return u.Utime.Nano() + u.Stime.Nano()
	}
	before := used()
	return func() { b.ReportMetric(float64(used()-before)/1e6/float64(b.N), "cpu-ms/op") }
}

// BenchmarkView shows a recorded build on a terminal, one frame for each eighth of a
// second. Compare its cost (cpu-ms/op) with the build itself, which took 62 s of CPU.
func BenchmarkView(b *testing.B) {
	events, sizes := recorded(b)
	defer cpu(b)()
	for b.Loop() {
		view, now := New("", sizes), events[0].at
		for _, e := range events {
			for ; now.Before(e.at); now = now.Add(time.Second / 8) {
				_, _ = io.WriteString(io.Discard, strings.Join(view.View(now, 80, 24), "\n"))
			}
			view.Update(e.status, e.at)
		}
	}
}

// BenchmarkPlain writes the log of the same build.
func BenchmarkPlain(b *testing.B) {
	events, sizes := recorded(b)
	defer cpu(b)()
	for b.Loop() {
		var p Plain
		p.Of("", sizes)
		for _, e := range events {
			_, _ = io.WriteString(io.Discard, p.Lines(e.status))
		}
	}
}
