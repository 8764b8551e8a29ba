package progress

import (
	"fmt"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"

	"lamina.build/internal/report"
)

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// at returns a time so many seconds after the beginning.
func at(seconds float64) *time.Time {
	t := epoch.Add(time.Duration(seconds * float64(time.Second)))
	return &t
}

// vertex returns a step with its start and end, if any.
func vertex(name string, started, completed *time.Time) *client.Vertex {
	v := &client.Vertex{Digest: digest.FromString(name), Name: name, Started: started, Completed: completed}
	if !strings.HasPrefix(name, "fetch ") && !strings.HasPrefix(name, "load ") {
		v.Inputs = []digest.Digest{digest.FromString("source")}
	}
	return v
}

func told(vertexes ...*client.Vertex) *client.SolveStatus {
	return &client.SolveStatus{Vertexes: vertexes}
}

func said(name string, stream int, seconds float64, text string) *client.SolveStatus {
	return &client.SolveStatus{Logs: []*client.VertexLog{{Vertex: digest.FromString(name), Stream: stream, Data: []byte(text), Timestamp: *at(seconds)}}}
}

func with(v *client.Vertex, change func(v *client.Vertex)) *client.Vertex {
	change(v)
	return v
}

// Each line of a log begins with the number and the stage of its step.
func TestPlain(t *testing.T) {
	compile, load := "native: compile", "load weights/a"
	part := func(seconds float64, current int64, completed *time.Time) *client.SolveStatus {
		return &client.SolveStatus{Statuses: []*client.VertexStatus{{
			Vertex: digest.FromString(load), ID: "sha256:ab", Current: current, Total: 4e9, Timestamp: *at(seconds), Started: at(1), Completed: completed,
		}}}
	}
	var p Plain
	p.Of("", map[string]int64{"fetch a.deb": 58_234_567})
	var b strings.Builder
	for _, s := range []*client.SolveStatus{
		told(vertex("fetch a.deb", nil, nil), vertex(compile, nil, nil), vertex("smoke: import x", nil, nil)),
		told(vertex("fetch a.deb", at(0), at(0))), // only its cache key was looked up
		told(vertex("fetch a.deb", at(1), nil), vertex(load, at(1), nil)),
		part(1, 0, nil), part(2, 1e9, nil), part(7, 3e9, nil),
		told(vertex(compile, at(7), nil)),
		said(compile, 1, 7.5, "one\r\ntw"), said(compile, 2, 8, "err\x1b[2J\n"), said(compile, 1, 8.25, "o \xe2\x82"), said(compile, 1, 9, "\xac\nthree"),
		told(vertex("fetch a.deb", at(1), at(9.5))),
		part(10, 4e9, at(10)), part(10, 4e9, at(10)),
		told(with(vertex(compile, at(7), at(11)), func(v *client.Vertex) {
			v.Error = `process "/bin/sh -c a very long command" did not complete successfully: exit code: 1`
		})),
		told(with(vertex("smoke: import x\nbuild: all is well", at(11), at(11)), func(v *client.Vertex) { v.Cached = true })),
		told(with(vertex("smoke: import x\nbuild: all is well", at(11), at(11)), func(v *client.Vertex) { v.Cached = true })),
		told(with(vertex(load, at(1), at(12)), func(v *client.Vertex) { v.Error = "rpc error: context canceled" })),
		{Warnings: []*client.VertexWarning{{Vertex: digest.FromString(compile), Short: []byte("old\nthing")}}},
	} {
		b.WriteString(p.Lines(s))
	}
	want := `#1 [fetch] fetch a.deb
#2 [fetch] load weights/a
#2 [fetch] sha256:ab 0 B of 4.00 GB
#2 [fetch] sha256:ab 3.00 GB of 4.00 GB
#3 [wheels] native: compile
#3 [wheels] 0.5 one
#3 [wheels] 1.0 err\x1b[2J
#3 [wheels] 2.0 two €
#1 [fetch] DONE 8.5s, 58.2 MB
#2 [fetch] sha256:ab 4.00 GB of 4.00 GB done
#3 [wheels] 4.0 three
#3 [wheels] ERROR 4.0s: exit code: 1
#4 [smoke] smoke: import x\nbuild: all is well
#4 [smoke] CACHED
#2 [fetch] CANCELED 11.0s
#3 [wheels] WARNING: old\nthing
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Steps of several engines are told apart, in a log and in a view.
func TestProgressGroups(t *testing.T) {
	of := func(platform string, started, completed *time.Time) *client.Vertex {
		v := vertex("a: compile", started, completed)
		v.Digest, v.ProgressGroup = digest.FromString(platform), &pb.ProgressGroup{Id: platform, Name: platform}
		return v
	}
	var p Plain
	p.Of("", nil)
	view := New("", nil)
	var b strings.Builder
	for i, s := range []*client.SolveStatus{
		told(of("linux/amd64", at(0), nil)), told(of("linux/arm64", at(-7200), nil)), told(of("linux/s390x", at(7200), nil)), // clocks differ
		told(of("linux/arm64", at(-7200), at(-7198))),
	} {
		b.WriteString(p.Lines(s))
		view.Update(s, *at(float64(i)))
	}
	want := "#1 [linux/amd64 wheels] a: compile\n#2 [linux/arm64 wheels] a: compile\n#3 [linux/s390x wheels] a: compile\n#2 [linux/arm64 wheels] DONE 2.0s\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	running := []string{fmt.Sprintf("%-57s5s", "• wheels   linux/amd64: a: compile"), fmt.Sprintf("%-57s3s", "• wheels   linux/s390x: a: compile")}
	if got := view.View(*at(5), 60, 24); !slices.Equal(got, running) {
		t.Errorf("it shows %q, want %q", got, running)
	}
}

// In the log of a recorded build every line has its step and its stage, and every step has
// one number, which further work keeps, and an end.
func TestPlainOfABuild(t *testing.T) {
	events, sizes := recorded(t)
	var p Plain
	form := regexp.MustCompile(`^#(\d+) \[([a-z]+)\] (.+)$`)
	names, ends := map[string]string{}, map[string]int{}
	for range 2 {
		p.Of("", sizes)
		for _, e := range events {
			for line := range strings.Lines(p.Lines(e.status)) {
				m := form.FindStringSubmatch(strings.TrimSuffix(line, "\n"))
				if m == nil {
					t.Fatalf("line %q", line)
				}
				if names[m[1]] == "" {
					names[m[1]] = m[3]
				}
				if regexp.MustCompile(`^(DONE|CACHED)\b`).MatchString(m[3]) {
					ends[m[1]]++
				}
			}
		}
	}
	seen := map[string]bool{}
	for number, name := range names {
		if seen[name] && !strings.HasPrefix(name, "scripts of ") {
			t.Errorf("%s has two numbers", name)
		}
		if seen[name] = true; ends[number] == 0 {
			t.Errorf("%s has no end", name)
		}
	}
	if len(names) < 180 {
		t.Errorf("%d steps", len(names))
	}
}

// A step that prints 100 MB costs a few kilobytes, with or without lines in it.
func TestWhatIsKeptIsBounded(t *testing.T) {
	for name, text := range map[string]string{
		"lines": strings.Repeat("a line of some text\n", 50), "one line": strings.Repeat("x", 1<<10), "binary": strings.Repeat("\x00\xff\x1b[2J\r", 150),
	} {
		t.Run(name, func(t *testing.T) {
			var p Plain
			p.Of("", nil)
			view := New("", nil)
			begin := told(vertex("x: compile", at(0), nil))
			view.Update(begin, epoch)
			p.Lines(begin)
			heap := func() uint64 {
				var m runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&m)
				return m.HeapAlloc
			}
			before, longest := heap(), 0
			status := said("x: compile", 1, 1, strings.Repeat(text, 100))
			for n := range 100 << 20 / (100 * len(text)) {
				view.Update(status, epoch)
				if n > 20 { // formatting all of it would take too long
					continue
				}
				for line := range strings.Lines(p.Lines(status)) {
					longest = max(longest, len(line))
				}
			}
			if after := heap(); after > before+1<<20 {
				t.Errorf("it keeps %d bytes", after-before)
			}
			if most := 8 * lineLimit; longest > most {
				t.Errorf("a line of %d bytes", longest)
			}
			for _, line := range view.View(epoch, 80, 24) {
				if report.Shown(line) != line || cells(line) >= 80 {
					t.Errorf("it shows %q", line)
				}
			}
			runtime.KeepAlive(view)
			runtime.KeepAlive(p)
		})
	}
}

func ExamplePlain() {
	var p Plain
	p.Of("", nil)
	started, completed := epoch, epoch.Add(1500*time.Millisecond)
	fmt.Print(p.Lines(told(vertex("smoke: import numpy", &started, &completed))))
	// Output:
	// #1 [smoke] smoke: import numpy
	// #1 [smoke] DONE 1.5s
}
