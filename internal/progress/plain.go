package progress

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/moby/buildkit/client"
	"github.com/opencontainers/go-digest"

	"lamina.build/internal/humanize"
	"lamina.build/internal/report"
)

// Limits of a log: the interval between reports of a transfer, and the length of a line
// that a step doesn't end.
const (
	partEvery = 5 * time.Second
	lineLimit = 8 << 10
)

// Plain makes the lines of a log: "#NUMBER [STAGE] TEXT", so that grep finds all lines of a
// step or a stage; if several engines work at the same time, "#NUMBER [ENGINE STAGE] TEXT",
// where ENGINE is the progress group. A step begins with its name, and ends in DONE, CACHED,
// CANCELED or ERROR.
// The numbers continue from one piece of work to the next.
type Plain struct {
	classifier
	sizes map[string]int64
	byID  map[digest.Digest]*logged
}

// logged is a step in a log.
type logged struct {
	prefix  string
	size    int64
	started time.Time
	open    bool // its name was printed, but not yet its end
	cached  bool
	streams map[int][]byte       // the beginning of a line
	parts   map[string]time.Time // when each was last printed
}

// Of begins the next piece of work, with the arguments of [New].
func (p *Plain) Of(stage string, sizes map[string]int64) {
	if p.byID == nil {
		p.byID, p.subjects = map[digest.Digest]*logged{}, map[string]string{}
	}
	p.only, p.sizes = stage, sizes
}

// Lines returns the new lines of a log.
func (p *Plain) Lines(status *client.SolveStatus) string {
	var b strings.Builder
	for _, v := range status.Vertexes {
		p.learn(v.Name)
	}
	for _, v := range status.Vertexes {
		p.begin(&b, v)
	}
	for _, part := range status.Statuses {
		if at := p.byID[part.Vertex]; at != nil {
			at.part(&b, part)
		}
	}
	for _, l := range status.Logs {
		if at := p.byID[l.Vertex]; at != nil {
			at.log(&b, l)
		}
	}
	for _, w := range status.Warnings {
		if at := p.byID[w.Vertex]; at != nil {
			at.tell(&b, "WARNING: "+report.ShownLine(string(w.Short)))
		}
	}
	for _, v := range status.Vertexes {
		if at := p.byID[v.Digest]; at != nil && v.Completed != nil && at.open {
			at.end(&b, v)
		}
	}
	return b.String()
}

func (p *Plain) begin(b *strings.Builder, v *client.Vertex) {
	at, stage := p.byID[v.Digest], p.stage(v.Name)
	isGlance := at == nil && v.Completed != nil && v.Error == "" && isLook(v, stage, false)
	if v.Started == nil || isGlance || strings.HasPrefix(v.Name, gate) {
		return
	}
	if at == nil {
		at = &logged{
			prefix: fmt.Sprintf("#%d [%s%s] ", len(p.byID)+1, groupOf(v, " "), stage), size: p.sizes[v.Name],
			streams: map[int][]byte{}, parts: map[string]time.Time{},
		}
		p.byID[v.Digest] = at
	}
	at.started = *v.Started
	if v.Cached && at.cached || at.open {
		return // an engine repeats it
	}
	at.open = true
	at.tell(b, report.ShownLine(v.Name))
}

func (l *logged) tell(b *strings.Builder, text string) {
	b.WriteString(l.prefix)
	b.WriteString(text)
	b.WriteByte('\n')
}

// part reports the progress of a part of a step: at intervals, and at its end.
func (l *logged) part(b *strings.Builder, part *client.VertexStatus) {
	before, told := l.parts[part.ID]
	switch {
	case told && before.IsZero(), part.Completed == nil && told && part.Timestamp.Sub(before) < partEvery:
		return
	case part.Completed == nil && !told && part.Total == 0:
		l.parts[part.ID] = part.Timestamp // it may end at once
		return
	}
	text := report.ShownLine(part.ID)
	if part.Total > 0 {
		text += fmt.Sprintf(" %s of %s", humanize.Size(part.Current), humanize.Size(part.Total))
	} else if part.Current > 0 {
		text += " " + humanize.Size(part.Current)
	}
	if l.parts[part.ID] = part.Timestamp; part.Completed != nil {
		text, l.parts[part.ID] = text+" done", time.Time{}
	}
	l.tell(b, text)
}

// log prints complete lines, and cuts those that are too long.
func (l *logged) log(b *strings.Builder, entry *client.VertexLog) {
	at := fmt.Sprintf("%.1f ", max(0, entry.Timestamp.Sub(l.started).Seconds()))
	text := slices.Concat(l.streams[entry.Stream], entry.Data)
	for len(text) > 0 {
		line, rest, whole := bytes.Cut(text, []byte("\n"))
		if !whole && len(line) < lineLimit {
			break
		}
		if !whole || len(line) > lineLimit {
			n := lineLimit - report.Begun(line[:min(lineLimit, len(line))])
			line, rest = line[:n], text[n:]
		}
		l.tell(b, at+report.Shown(strings.TrimSuffix(string(line), "\r")))
		text = rest
	}
	l.streams[entry.Stream] = slices.Clone(text)
}

func (l *logged) end(b *strings.Builder, v *client.Vertex) {
	for _, n := range slices.Sorted(maps.Keys(l.streams)) {
		if rest := l.streams[n]; len(rest) > 0 {
			l.log(b, &client.VertexLog{Stream: n, Data: []byte("\n"), Timestamp: *v.Completed})
		}
	}
	l.open, l.cached = false, v.Cached
	switch took := fmt.Sprintf(" %.1fs", v.Completed.Sub(*v.Started).Seconds()); {
	case isCanceled(v):
		l.tell(b, "CANCELED"+took)
	case v.Error != "":
		_, text, ok := strings.Cut(v.Error, "did not complete successfully: ") // the command line is before it
		if !ok {
			text = v.Error
		}
		l.tell(b, "ERROR"+took+": "+report.ShownLine(text))
	case v.Cached:
		l.tell(b, "CACHED")
	case l.size > 0:
		l.tell(b, "DONE"+took+", "+humanize.Size(l.size))
	default:
		l.tell(b, "DONE"+took)
	}
}
