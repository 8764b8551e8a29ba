package weights

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/moby/buildkit/client"
	"github.com/opencontainers/go-digest"

	"lamina.build/internal/humanize"
)

// window is the period of a rate: long enough to be steady, short enough to show a
// change.
const window = 10 * time.Second

// item is one layer, or the sum of all.
type item struct {
	name    string
	id      digest.Digest
	size    int64
	done    int64
	started time.Time // zero while it waits
	ended   time.Time
	how     string // how it ended; "" before
	stopped bool   // the transfer failed before it was done
	samples []sample
	quiet   bool // its end was shown
}

type sample struct {
	at   time.Time
	done int64
}

func (i *item) start(now time.Time, done int64) {
	i.started, i.done = now, done
	i.samples = []sample{{now, done}}
}

// skip adds bytes that need not be moved, without counting them towards the rate.
func (i *item) skip(moved int64) {
	i.done += moved
	for k := range i.samples {
		i.samples[k].done += moved
	}
}

// rate returns bytes per second over the window, and 0 if unknown.
func (i *item) rate(now time.Time) float64 {
	i.samples = append(i.samples, sample{now, i.done})
	keep := slices.IndexFunc(i.samples, func(s sample) bool { return now.Sub(s.at) <= window })
	i.samples = i.samples[max(keep, 0):]
	first := i.samples[0]
	elapsed := now.Sub(first.at).Seconds()
	if elapsed < tick.Seconds() {
		return 0
	}
	return float64(i.done-first.done) / elapsed
}

// text describes the item: "unet.safetensors, 212 MB/s, 37 s left".
func (i *item) text(now time.Time) string {
	words := []string{i.name}
	switch {
	case i.how != "":
		words = append(words, i.how)
	case i.ended.IsZero():
		words = append(words, pace(i.rate(now), i.size-i.done)...)
	}
	return strings.Join(words, ", ")
}

// line describes the item for a log.
func (i *item) line(now time.Time) string {
	words := []string{fmt.Sprintf("%s of %s", size(i.done), size(i.size))}
	if i.ended.IsZero() {
		words = append(words, pace(i.rate(now), i.size-i.done)...)
	}
	return strings.Join(words, ", ")
}

// pace describes the rate and the time left.
func pace(rate float64, left int64) []string {
	if rate < 1 {
		return nil
	}
	words := []string{size(int64(rate)) + "/s"}
	if left > 0 {
		words = append(words, duration(time.Duration(float64(left)/rate*float64(time.Second)))+" left")
	}
	return words
}

func size(bytes int64) string { return humanize.Size(max(bytes, 0)) }

// duration formats a duration in at most two parts: "3 h 20 min", "37 s".
func duration(d time.Duration) string {
	switch d = d.Round(time.Second); {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
}

func (i *item) show(s *client.SolveStatus, now time.Time) {
	v := &client.Vertex{Digest: i.id, Name: i.text(now), Started: &i.started}
	status := &client.VertexStatus{
		ID: "bytes", Vertex: i.id, Current: i.done, Total: i.size, Timestamp: now, Started: &i.started,
	}
	if !i.ended.IsZero() {
		v.Completed, status.Completed = &i.ended, &i.ended
	}
	if i.stopped {
		v.Error = "stopped"
	}
	s.Vertexes = append(s.Vertexes, v)
	s.Statuses = append(s.Statuses, status)
}
