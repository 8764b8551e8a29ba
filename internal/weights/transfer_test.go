package weights_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/util/progress/progressui"

	"lamina.build/internal/layers"
	"lamina.build/internal/weights"
)

// last keeps the newest state of every vertex, and all lines.
type last struct {
	vertexes map[string]*client.Vertex
	bytes    map[string]*client.VertexStatus
	lines    []string
	names    []string
}

func (l *last) display(_ context.Context, status chan *client.SolveStatus) error {
	l.vertexes, l.bytes = map[string]*client.Vertex{}, map[string]*client.VertexStatus{}
	for s := range status {
		for _, v := range s.Vertexes {
			l.vertexes[v.Digest.String()] = v
			l.names = append(l.names, v.Name)
		}
		for _, b := range s.Statuses {
			l.bytes[l.vertexes[b.Vertex.String()].Name] = b
		}
		for _, line := range s.Logs {
			l.lines = append(l.lines, strings.TrimSpace(string(line.Data)))
		}
	}
	return nil
}

func (l *last) has(name string) bool { return slices.Contains(l.names, name) }

// moving returns a job with the layers, and a function that reports a layer's state to its
// display.
func moving(sizes ...weights.Layer) (weights.Job, func(j weights.Job, layer int, state weights.State, bytes int64)) {
	return weights.Job{Layers: sizes}, func(j weights.Job, layer int, state weights.State, bytes int64) {
		j.Progress(weights.Event{Layer: layer, Name: sizes[layer].Name, State: state, Bytes: bytes, Total: sizes[layer].Size})
	}
}

func sized(name string, size int64) weights.Layer {
	return weights.Layer{Outline: layers.Outline{Name: name, Size: size}}
}

func TestRateAndTimeLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen last
		j, report := moving(sized("unet", 10_000_000_000), sized("vae", 1_000_000_000))
		err := j.Show(t.Context(), "pushing weights", seen.display, func(_ context.Context, j weights.Job) error {
			report(j, 1, weights.Present, 1_000_000_000)
			report(j, 0, weights.Moving, 4_000_000_000) // an earlier push sent this much
			for i := range int64(20) {
				time.Sleep(time.Second)
				report(j, 0, weights.Moving, 4_000_000_000+(i+1)*100_000_000)
			}
			time.Sleep(time.Second)
			report(j, 0, weights.Done, 10_000_000_000)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"vae, already there", "unet, done", "pushing weights"} {
			if !seen.has(want) {
				t.Errorf("no vertex is named %q: %q", want, seen.names)
			}
		}
		if b := seen.bytes["unet, done"]; b == nil || b.Current != b.Total || b.Completed == nil {
			t.Errorf("bytes of the file at its end: %+v", b)
		}
		if b := seen.bytes["pushing weights"]; b == nil || b.Current != 11_000_000_000 || b.Total != b.Current {
			t.Errorf("bytes of all at the end: %+v", b)
		}
		var told bool
		for _, line := range seen.lines {
			told = told || strings.Contains(line, " of 11.00 GB, ") && strings.HasSuffix(line, " left")
			if strings.Contains(line, "GB/s") {
				t.Errorf("the rate includes an earlier transfer: %q", line)
			}
		}
		if !told {
			t.Errorf("no line has the rate and the time left: %q", seen.lines)
		}
	})
}

func TestFailure(t *testing.T) {
	want := errors.New("no")
	var seen last
	j, report := moving(sized("a", 10), sized("b", 10))
	err := j.Show(t.Context(), "pulling", seen.display, func(_ context.Context, j weights.Job) error {
		report(j, 0, weights.Moving, 5)
		report(j, 1, weights.Waiting, 0)
		return want
	})
	if !errors.Is(err, want) {
		t.Errorf("got %v, want the work's own error", err)
	}
	for _, v := range seen.vertexes {
		if v.Name == "a" && v.Error == "" {
			t.Error("a file that was stopped halfway looks complete")
		}
	}
	if seen.has("b") {
		t.Error("a file that never started was shown")
	}
}

// A broken display doesn't block anything, and its error is returned at the end.
func TestABrokenDisplay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		want := errors.New("no terminal any more")
		j, report := moving(sized("a", 10))
		broken := func(context.Context, chan *client.SolveStatus) error { return want }
		err := j.Show(t.Context(), "pulling", broken, func(_ context.Context, j weights.Job) error {
			time.Sleep(time.Minute)
			report(j, 0, weights.Done, 10)
			return nil
		})
		if !errors.Is(err, want) {
			t.Errorf("got %v", err)
		}
	})
}

// The displays are BuildKit's own: each must accept the statuses.
func TestDisplays(t *testing.T) {
	for _, mode := range []progressui.DisplayMode{progressui.PlainMode, progressui.RawJSONMode, progressui.QuietMode} {
		t.Run(string(mode), func(t *testing.T) {
			var out bytes.Buffer
			d, err := progressui.NewDisplay(&out, mode)
			if err != nil {
				t.Fatal(err)
			}
			j, report := moving(sized("unet", 1000))
			err = j.Show(t.Context(), "pushing weights", func(ctx context.Context, status chan *client.SolveStatus) error {
				_, showErr := d.UpdateFrom(ctx, status)
				return showErr
			}, func(_ context.Context, j weights.Job) error {
				report(j, 0, weights.Moving, 0)
				report(j, 0, weights.Moving, 400)
				report(j, 0, weights.Done, 1000)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			checkDisplay(t, mode, &out)
		})
	}
}

func checkDisplay(t *testing.T, mode progressui.DisplayMode, out *bytes.Buffer) {
	t.Helper()
	switch mode {
	case progressui.PlainMode:
		for _, want := range []string{"pushing weights", "unet, done", "1.00kB / 1.00kB"} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("no %q in:\n%s", want, out)
			}
		}
	case progressui.RawJSONMode:
		d := json.NewDecoder(out)
		var status client.SolveStatus
		for {
			if err := d.Decode(&status); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
		if len(status.Statuses) == 0 || status.Statuses[0].Total != 1000 {
			t.Errorf("the last line has no bytes: %+v", status)
		}
	default:
		if out.Len() > 0 {
			t.Errorf("quiet is not: %s", out)
		}
	}
}

// A log gets a line every five seconds, and one at the end.
func TestLinesOfALog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen last
		j, report := moving(sized("unet", 10_000_000_000))
		must(t, j.Show(t.Context(), "pulling", seen.display, func(_ context.Context, j weights.Job) error {
			report(j, 0, weights.Moving, 0)
			for i := range int64(20) {
				time.Sleep(time.Second + 30*time.Millisecond)
				report(j, 0, weights.Moving, (i+1)*100_000_000)
			}
			report(j, 0, weights.Done, 10_000_000_000)
			return nil
		}))
		if len(seen.lines) != 5 || seen.lines[4] != "10.00 GB of 10.00 GB" {
			t.Errorf("got %q, want four lines and the end", seen.lines)
		}
		for digest, v := range seen.vertexes {
			if v.Completed == nil || v.Error != "" {
				t.Errorf("%s is still running at the end: %+v", digest, v)
			}
		}
	})
}

// The time left has at most two parts.
func TestTimeLeft(t *testing.T) {
	for left, want := range map[int64]string{
		30: "30 s left", 59: "59 s left", 60: "1 min 0 s left", 150: "2 min 30 s left", 3599: "59 min 59 s left",
		3600: "1 h 0 min left", 12_000: "3 h 20 min left",
	} {
		synctest.Test(t, func(t *testing.T) {
			const rate = 100_000_000 // bytes a second
			var seen last
			j, report := moving(sized("unet", (left+5)*rate))
			must(t, j.Show(t.Context(), "pulling", seen.display, func(_ context.Context, j weights.Job) error {
				report(j, 0, weights.Moving, 0)
				time.Sleep(4999 * time.Millisecond) // just before the display is updated
				report(j, 0, weights.Moving, 5*rate)
				time.Sleep(2 * time.Millisecond)
				return nil
			}))
			if len(seen.lines) == 0 || !strings.HasSuffix(seen.lines[0], want) {
				t.Errorf("%d s: got %q, want %q", left, seen.lines, want)
			}
		})
	}
}
