package main

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

// show sets how the work of an engine is shown, as a value of --progress.
func (u *ui) show(mode string) { u.quiet, u.mode = mode == "quiet", mode }

// checkProgress reports before a build that a requested view can't be shown.
func (u *ui) checkProgress() error {
	if u.mode == "tty" && !u.canDraw() {
		return failure.New(failure.Usage, errors.New("flag --progress: tty requires a terminal that isn't dumb (TERM)"))
	}
	return nil
}

// canDraw reports whether written lines can be redrawn.
func (u *ui) canDraw() bool { return isTerminal(u.stderr) && !u.dumb }

// Note implements [lamina.Progress].
func (u *ui) Note(line string) { u.note("%s", line) }

// Watch implements [lamina.Progress]. While a lock is resolved, a terminal shows what the
// engine does, since uv may fetch sources; a log gets only the few notes. Failing to
// print is not a failure of the work.
func (u *ui) Watch(_ context.Context, w lamina.Work, steps chan *client.SolveStatus) error {
	mode := u.mode
	if draws := u.canDraw(); (mode == "" || mode == "auto" || w.Task == lamina.Resolving && !u.quiet) && draws {
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
		u.watchJSON(steps)
	case "tty":
		u.watchScreen(steps, progress.New(stage, w.Sizes))
	default:
		u.mu.Lock()
		u.plain.Of(stage, w.Sizes)
		u.mu.Unlock()
		for status := range steps {
			u.mu.Lock()
			_, _ = io.WriteString(u.stderr, u.plain.Lines(status))
			u.mu.Unlock()
		}
	}
	return nil
}

// watchJSON passes on the engine's events, as "buildctl --progress rawjson" does.
func (u *ui) watchJSON(steps <-chan *client.SolveStatus) {
	to := u.stderr
	if isTerminal(u.stderr) {
		to = &report.ShownWriter{To: u.stderr}
	}
	out := json.NewEncoder(to)
	for status := range steps {
		u.mu.Lock()
		_ = out.Encode(status)
		u.mu.Unlock()
	}
}
