package solve

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/moby/buildkit/client"
	bkllb "github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/solver/errdefs"
	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"
)

// outputLimit is how much of a step's output is kept for its error, in bytes:
// a compiler's first complaint may lie far above the last line.
const outputLimit = 64 << 10

// Error says which step of a build failed.
type Error struct {
	Step   string // its name in the progress: "smoke: import numpy"
	URL    string // what it fetched, where it is a fetch
	Output string // the end of what it printed
	Err    error
}

// Error names the step and the cause, with the last line of the output: that
// is where programs say why they end.
func (e *Error) Error() string {
	text := fmt.Sprintf("%s: %v", e.Step, e.Err)
	if last := lastLine(e.Output); last != "" && strings.HasPrefix(e.Err.Error(), "exit code") {
		text += ": " + last
	}
	return text
}

func lastLine(output string) string {
	lines := strings.Split(strings.TrimSpace(output), "\n")
	last := strings.TrimSpace(lines[len(lines)-1])
	if len(last) > lineLimit {
		last = strings.ToValidUTF8(last[:lineLimit], "") + "…"
	}
	return last
}

// lineLimit is how much of an output's last line an error repeats, in bytes.
const lineLimit = 300

// Unwrap returns BuildKit's own error.
func (e *Error) Unwrap() error { return e.Err }

// recorder remembers names and output of steps while a build runs.
type recorder struct {
	names   map[digest.Digest]string
	outputs map[digest.Digest][]byte
}

// watch passes every status on and ends when the channel is closed.
func (r *recorder) watch(in <-chan *client.SolveStatus, out chan<- *client.SolveStatus) {
	defer close(out)
	r.names, r.outputs = map[digest.Digest]string{}, map[digest.Digest][]byte{}
	for s := range in {
		for _, v := range s.Vertexes {
			r.names[v.Digest] = v.Name
		}
		for _, l := range s.Logs {
			r.keep(l.Vertex, l.Data)
		}
		out <- s
	}
}

func (r *recorder) keep(vertex digest.Digest, data []byte) {
	all := slices.Concat(r.outputs[vertex], data)
	if over := len(all) - outputLimit; over > 0 {
		all = all[over:]
	}
	r.outputs[vertex] = all
}

// explain words an error of BuildKit, which would print whole command lines.
func (r *recorder) explain(err error, def *bkllb.Definition) error {
	at, ok := errors.AsType[*errdefs.VertexError](err)
	if !ok {
		return err
	}
	id := digest.Digest(at.Digest)
	e := &Error{
		Step:   r.names[id],
		URL:    fetched(def, id),
		Output: strings.TrimRight(string(r.outputs[id]), "\n"),
		Err:    cause(err),
	}
	if e.Step == "" {
		e.Step = "step " + id.Encoded()[:12]
	}
	return e
}

// cause is what an exec's or a source's error says without the command line,
// which BuildKit puts in front, and the same chain of errors behind it.
func cause(err error) error {
	text := err.Error()
	if _, after, ok := strings.Cut(text, "did not complete successfully: "); ok {
		return &worded{after, err}
	}
	text = strings.TrimPrefix(text, "failed to solve: ")
	return &worded{strings.TrimPrefix(text, "failed to load cache key: "), err}
}

type worded struct {
	text string
	error
}

func (w *worded) Error() string { return w.text }
func (w *worded) Unwrap() error { return w.error }

// fetched returns the URL of an HTTP source and nothing for any other step.
func fetched(def *bkllb.Definition, id digest.Digest) string {
	for _, data := range def.Def {
		if digest.FromBytes(data) != id {
			continue
		}
		var op pb.Op
		if err := op.UnmarshalVT(data); err != nil {
			return ""
		}
		url := op.GetSource().GetIdentifier()
		if strings.HasPrefix(url, "http://") || strings.HasPrefix(url, "https://") {
			return url
		}
	}
	return ""
}
