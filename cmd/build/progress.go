package main

import (
	"context"
	"fmt"

	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/util/progress/progressui"

	"lamina.build"
	"lamina.build/internal/failure"
	"lamina.build/internal/report"
)

// show says how the work of an engine is shown, in a word of --progress.
func (u *ui) show(mode string) { u.quiet, u.mode = mode == "quiet", mode }

// checkProgress finds out that a display can't be shown before a build has to.
func (u *ui) checkProgress() error {
	if u.mode == "" {
		return nil
	}
	if _, err := progressui.NewDisplay(u.stderr, progressui.DisplayMode(u.mode)); err != nil {
		return failure.New(failure.Usage, fmt.Errorf("flag --progress: %s needs a terminal", u.mode))
	}
	return nil
}

// Note implements [lamina.Progress].
func (u *ui) Note(line string) { u.note("%s", line) }

// Watch implements [lamina.Progress]. Of the resolving of a lock somebody who watches
// is shown what the engine does, since uv may have sources to fetch; a log gets the few
// lines of notes.
func (u *ui) Watch(ctx context.Context, t lamina.Task, steps chan *client.SolveStatus) error {
	mode := u.mode
	if t == lamina.Resolving {
		mode = "quiet"
		if isTerminal(u.stderr) && !u.quiet {
			mode = "tty"
		}
	}
	if mode == "" {
		mode = "auto"
	}
	display, err := progressui.NewDisplay(u.stderr, progressui.DisplayMode(mode))
	if err != nil {
		return fmt.Errorf("showing progress: %w", err)
	}
	told := make(chan *client.SolveStatus)
	go report.ShownSteps(steps, told)
	_, err = display.UpdateFrom(ctx, told)
	for range told { // so that the engine is heard to the end
	}
	return err
}
