package console

import (
	"context"
	"encoding/json"
	"errors"
	"io"

	"github.com/moby/buildkit/client"

	"lamina.build"
	"lamina.build/internal/failure"
	"lamina.build/internal/progress"
	"lamina.build/internal/report"
)

// Show sets how the work of an engine is shown, as a value of --progress, and reports a view
// that can't be shown.
func (c *Console) Show(mode string) error {
	c.quiet, c.mode = mode == "quiet", mode
	if mode == "tty" && !c.canDraw() {
		return failure.New(failure.Usage, errors.New("flag --progress: tty requires a terminal that isn't dumb (TERM)"))
	}
	return nil
}

// canDraw reports whether written lines can be redrawn.
func (c *Console) canDraw() bool { return isTerminal(c.stderr) && !c.dumb }

// Note implements [lamina.Progress].
func (c *Console) Note(line string) { c.Notef("%s", line) }

// Watch implements [lamina.Progress]. While a lock is resolved, a terminal shows what the
// engine does, since uv may fetch sources; a log gets only the few notes. Failing to
// print is not a failure of the work.
func (c *Console) Watch(_ context.Context, w lamina.Work, steps chan *client.SolveStatus) error {
	mode := c.mode
	if draws := c.canDraw(); (mode == "" || mode == "auto" || w.Task == lamina.Resolving && !c.quiet) && draws {
		mode = "tty"
	} else if w.Task == lamina.Resolving {
		mode = "quiet"
	}
	stage := map[lamina.Task]string{lamina.Resolving: progress.Resolve, lamina.Moving: progress.Model}[w.Task]
	switch mode {
	case "quiet":
		for range steps { // not shown
		}
	case "rawjson":
		c.watchJSON(steps)
	case "tty":
		c.watchScreen(steps, progress.New(stage, w.Sizes))
	default:
		c.mu.Lock()
		c.plain.Of(stage, w.Sizes)
		c.mu.Unlock()
		for status := range steps {
			c.mu.Lock()
			_, _ = io.WriteString(c.stderr, c.plain.Lines(status))
			c.mu.Unlock()
		}
	}
	return nil
}

// watchJSON passes on the engine's events, as "buildctl --progress rawjson" does.
func (c *Console) watchJSON(steps <-chan *client.SolveStatus) {
	to := c.stderr
	if isTerminal(c.stderr) {
		to = &report.ShownWriter{To: c.stderr}
	}
	out := json.NewEncoder(to)
	for status := range steps {
		c.mu.Lock()
		_ = out.Encode(status)
		c.mu.Unlock()
	}
}
