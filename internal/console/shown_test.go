package console

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/util/progress/progressui"
	"github.com/opencontainers/go-digest"

	"lamina.build"

	"lamina.build/internal/report"
)

func TestNotesErrorsAndOutputAreShown(t *testing.T) {
	var errs strings.Builder
	c := &Console{stdout: &strings.Builder{}, stderr: &errs}
	c.Notef("package %s", "\x1b[31mred\r")
	c.Fail(&lamina.StepError{Step: "na\u009bme", Output: "a\x1b[2J\r\nb\rc\n", Err: fmt.Errorf("na\u009bme: %w", context.Canceled)})
	want := "build: package \\x1b[31mred\\r\n" +
		"build: error: na\\u009bme: context canceled\n" +
		"build: output of na\\u009bme\n  │ a\\x1b[2J\n  │ b\\rc\n"
	if diff := cmp.Diff(want, errs.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Text from an engine never controls the terminal.
func TestStepsAreShown(t *testing.T) {
	var errs strings.Builder
	c := &Console{stdout: &strings.Builder{}, stderr: &errs, mode: "plain"}
	steps, step := make(chan *client.SolveStatus, 4), digest.FromString("step")
	now := time.Now()
	steps <- &client.SolveStatus{Vertexes: []*client.Vertex{{Digest: step, Name: "fetch \x1b]0;title\a\nbuild: all is well", Started: &now}}}
	steps <- &client.SolveStatus{Logs: []*client.VertexLog{
		{Vertex: step, Stream: 2, Data: []byte("err\xff\n"), Timestamp: now},
		{Vertex: step, Stream: 1, Data: []byte("one \x1b[2Jtwo\n72 \xc2"), Timestamp: now},
		{Vertex: step, Stream: 2, Data: []byte(" \xe2\x82"), Timestamp: now},
		{Vertex: step, Stream: 1, Data: []byte("\xb0C\n"), Timestamp: now},
	}}
	steps <- &client.SolveStatus{
		Statuses: []*client.VertexStatus{{Vertex: step, ID: "a\x1b[1A\nbuild: a", Name: "b\x1b[1B\nbuild: b", Timestamp: now, Started: &now, Completed: &now}},
		Warnings: []*client.VertexWarning{{Vertex: step, Short: []byte("w\x1b[0m\nbuild: w"), Detail: [][]byte{[]byte("d\x9b")}}},
	}
	steps <- &client.SolveStatus{Vertexes: []*client.Vertex{{Digest: step, Name: "fetch \x1b]0;title\a\nbuild: all is well", Started: &now, Completed: &now, Error: "no\x1b[5n"}}}
	close(steps)
	if err := c.Watch(t.Context(), lamina.Work{}, steps); err != nil {
		t.Fatal(err)
	}
	got := errs.String()
	for _, want := range []string{`fetch \x1b]0;title\a`, `one \x1b[2Jtwo`, "°C", `err\xff`, `no\x1b[5n`} {
		if !strings.Contains(got, want) {
			t.Errorf("it doesn't show %s", want)
		}
	}
	if shown := report.Shown(got); shown != got {
		t.Errorf("the terminal is controlled by %q", got)
	}
	if strings.Contains(got, "\nbuild: ") {
		t.Errorf("it has lines that look like ours:\n%s", got)
	}
}

// rawjson is what BuildKit's own client would write, odd bytes included.
func TestRawJSONIsBuildKits(t *testing.T) {
	now := time.Now()
	status := client.SolveStatus{
		Vertexes: []*client.Vertex{{Digest: "a", Inputs: []digest.Digest{"b"}, Name: "smoke: \u009b <x>", Started: &now, Error: "e\n"}},
		Logs:     []*client.VertexLog{{Vertex: "a", Data: []byte("\x00\xff\x1b[2J"), Timestamp: now}},
		Statuses: []*client.VertexStatus{{ID: "i", Vertex: "a", Current: 3, Total: 4}},
		Warnings: []*client.VertexWarning{{Vertex: "a", Short: []byte("w")}},
	}
	var ours, theirs strings.Builder
	watch := func(show func(chan *client.SolveStatus) error) {
		steps, one := make(chan *client.SolveStatus, 1), status
		steps <- &one
		close(steps)
		if err := show(steps); err != nil {
			t.Fatal(err)
		}
	}
	watch(func(steps chan *client.SolveStatus) error {
		return (&Console{stderr: &ours, mode: "rawjson"}).Watch(t.Context(), lamina.Work{}, steps)
	})
	watch(func(steps chan *client.SolveStatus) error {
		display, err := progressui.NewDisplay(&theirs, progressui.RawJSONMode)
		if err == nil {
			_, err = display.UpdateFrom(t.Context(), steps)
		}
		return err
	})
	if diff := cmp.Diff(theirs.String(), ours.String()); diff != "" || ours.Len() == 0 {
		t.Errorf("(-BuildKit's +ours):\n%s", diff)
	}
}
