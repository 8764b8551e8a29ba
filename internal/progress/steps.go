// Package progress turns the events of an engine into text: a view of a few lines for a
// terminal, which is redrawn, and lines for a log. It uses no terminal and no clock, and
// what it keeps of a step is bounded, whatever that prints.
package progress

import (
	"strings"
	"time"

	"github.com/moby/buildkit/client"
	"github.com/opencontainers/go-digest"

	"lamina.build/internal/report"
)

// tailLimit bounds the output that is kept of a running step, in bytes: the view shows its
// last lines.
const tailLimit = 4 << 10

// step is a vertex of the graph that has begun.
type step struct {
	name, stage    string
	group          string    // the engine that runs it, "linux/arm64: "; "" if there is only one
	began, started time.Time // by our clock: at first, and when it last did, since an engine may return to a step
	ended          time.Time // zero while it runs
	looked, worked bool      // see isLook; a step that didn't work came from the cache
	failed         bool
	stopped        bool                            // because another step failed, or by the user
	parts          map[string]*client.VertexStatus // that have a size
	tail           []byte
}

func (s *step) runs() bool { return s.ended.IsZero() }

// Steps is the state of an engine's work. Only [Steps.Update] and [Steps.End] change it.
type Steps struct {
	classifier
	sizes map[string]int64
	list  []*step // in the order in which they began
	byID  map[digest.Digest]*step
	await map[digest.Digest]string // steps that may still begin, with their stages
	over  bool
	skew  map[string]time.Duration // of each engine's clock relative to ours, by its group
}

// New returns the steps of work that has not begun. All belong to stage, or, if it is
// empty, each to its own. sizes are the known sizes of what steps fetch, by their names.
func New(stage string, sizes map[string]int64) *Steps {
	return &Steps{
		classifier: classifier{stage, map[string]string{}}, sizes: sizes,
		byID: map[digest.Digest]*step{}, await: map[digest.Digest]string{}, skew: map[string]time.Duration{},
	}
}

// End marks the work as over: nothing more begins, and running steps have been stopped.
func (s *Steps) End(now time.Time) {
	s.over = true
	for _, at := range s.list {
		if at.runs() {
			at.ended, at.stopped = now, true
		}
	}
}

// Update adds an event of the engine, with its time by our clock.
func (s *Steps) Update(status *client.SolveStatus, now time.Time) {
	for _, v := range status.Vertexes {
		s.learn(v.Name)
	}
	for _, v := range status.Vertexes {
		s.vertex(v, now)
	}
	for _, part := range status.Statuses {
		if at := s.byID[part.Vertex]; at != nil && part.Total > 0 {
			if at.parts == nil {
				at.parts = map[string]*client.VertexStatus{}
			}
			at.parts[part.ID] = part
		}
	}
	for _, l := range status.Logs {
		if at := s.byID[l.Vertex]; at != nil && at.runs() {
			at.tail = last(at.tail, l.Data, tailLimit)
		}
	}
}

// isLook reports whether the engine only looks up the cache key of a source, which it does
// first: it returns to those that it lacks. Steps outside the graph have no inputs either.
func isLook(v *client.Vertex, stage string, looked bool) bool {
	return len(v.Inputs) == 0 && !v.Cached && !looked && stage != Export && stage != Model
}

func isCanceled(v *client.Vertex) bool { return strings.HasSuffix(v.Error, "context canceled") }

// groupOf returns the progress group of a step and what is between it and the next word; ""
// if it has none.
func groupOf(v *client.Vertex, after string) string {
	if v.ProgressGroup.GetName() == "" {
		return ""
	}
	return report.ShownLine(v.ProgressGroup.GetName()) + after
}

// title returns the name of a step for the view.
func (s *step) title() string { return s.group + short(s.name, s.stage) }

// gate begins the names of vertices that only pass on the results of others.
const gate = "passthrough "

func (s *Steps) vertex(v *client.Vertex, now time.Time) {
	if strings.HasPrefix(v.Name, gate) {
		return
	}
	at := s.byID[v.Digest]
	if at == nil && s.await[v.Digest] == "" {
		s.await[v.Digest] = s.stage(v.Name)
	}
	if v.Started == nil {
		return
	}
	group := groupOf(v, ": ")
	if _, known := s.skew[group]; !known {
		s.skew[group] = v.Started.Sub(now)
	}
	started := v.Started.Add(-s.skew[group])
	if at == nil {
		at = &step{stage: s.stage(v.Name), began: started}
		s.list, s.byID[v.Digest] = append(s.list, at), at
	}
	at.group = group
	at.name, at.started, at.ended = report.ShownLine(v.Name), started, time.Time{}
	at.stopped = isCanceled(v)
	at.failed = v.Error != "" && !at.stopped
	if v.Completed != nil {
		at.ended, at.tail = v.Completed.Add(-s.skew[group]), nil
	}
	if isLook(v, at.stage, at.looked) {
		at.looked = v.Completed != nil
		return
	}
	if delete(s.await, v.Digest); !at.worked && !v.Cached {
		at.worked, at.began = true, started
	}
}

// last returns the end of the kept and the new output.
func last(kept, more []byte, limit int) []byte {
	if len(more) >= limit {
		return append(kept[:0], more[len(more)-limit:]...)
	}
	if over := len(kept) + len(more) - limit; over > 0 {
		kept = kept[:copy(kept, kept[over:])]
	}
	return append(kept, more...)
}
