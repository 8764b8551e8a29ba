package solve

import (
	"regexp"
	"slices"
	"time"

	"github.com/moby/buildkit/client"
	"github.com/opencontainers/go-digest"
)

// outputLimit is how much of a step's output is kept for its error, in bytes:
// a compiler's first error may be far above the last line.
const outputLimit = 64 << 10

// recorder records the names and output of steps while a build runs.
type recorder struct {
	names   map[digest.Digest]string
	outputs map[digest.Digest][]byte
	heard   map[digest.Digest]time.Time // when each running step that installs packages last printed something
	clipped map[digest.Digest]bool      // the steps whose output the engine clips
	silent  digest.Digest               // the step that printed nothing for too long
}

// silence is how long a step that installs packages may print nothing: after that, a package
// script is waiting for ever. A database of manuals takes minutes on a slow machine.
const silence = 30 * time.Minute

// clippedTimes is how many times as long it may print nothing once its output is clipped: an
// engine passes on 200 KiB/s and 2 MiB of it (util/progress/logs, v0.34.2), so that silence may
// be an installation at work, but also a script that asks the same question for ever.
const clippedTimes = 8

// clipping matches the end of the last output before an engine clips it.
var clipping = regexp.MustCompile(`\n\[output clipped, log limit \S+ reached\]\n$`)

// watch forwards every status until the channel is closed. It stops the build if a step is
// silent for longer than the limit.
func (r *recorder) watch(in <-chan *client.SolveStatus, out chan<- *client.SolveStatus, limit time.Duration, stop func()) {
	defer close(out)
	r.names, r.outputs, r.heard, r.clipped = map[digest.Digest]string{}, map[digest.Digest][]byte{}, map[digest.Digest]time.Time{}, map[digest.Digest]bool{}
	tick := time.NewTicker(limit / 20)
	defer tick.Stop()
	for {
		select {
		case s, ok := <-in:
			if !ok {
				return
			}
			r.hear(s)
			before := time.Now()
			out <- s
			for id, at := range r.heard { // a paused display holds up what steps print meanwhile
				r.heard[id] = at.Add(time.Since(before))
			}
		case <-tick.C:
			for id, at := range r.heard {
				if r.silent == "" && (time.Since(at) > clippedTimes*limit || time.Since(at) > limit && !r.clipped[id]) {
					r.silent = id
					stop()
				}
			}
		}
	}
}

func (r *recorder) hear(s *client.SolveStatus) {
	for _, v := range s.Vertexes {
		r.names[v.Digest] = v.Name
		if v.Completed != nil {
			delete(r.heard, v.Digest)
		} else if v.Started != nil && installation.MatchString(v.Name) {
			r.heard[v.Digest] = time.Now()
		}
	}
	for _, l := range s.Logs {
		r.keep(l.Vertex, l.Data)
		if _, runs := r.heard[l.Vertex]; runs {
			r.heard[l.Vertex] = time.Now()
			r.clipped[l.Vertex] = r.clipped[l.Vertex] || clipping.Match(l.Data)
		}
	}
}

func (r *recorder) keep(vertex digest.Digest, data []byte) {
	r.outputs[vertex] = append(r.outputs[vertex], data...)
	if all := r.outputs[vertex]; len(all) > 2*outputLimit { // only now and then: a step may print for hours
		r.outputs[vertex] = slices.Clone(all[len(all)-outputLimit:])
	}
}

// output returns the end of what a step printed.
func (r *recorder) output(vertex digest.Digest) string {
	all := r.outputs[vertex]
	return string(all[max(0, len(all)-outputLimit):])
}
