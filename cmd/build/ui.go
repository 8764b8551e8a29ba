package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"

	"golang.org/x/term"

	"lamina.build"

	"lamina.build/internal/failure"
	"lamina.build/internal/progress"
	"lamina.build/internal/report"
)

// ui does all printing. Its rules:
//
//   - Standard output is for what was requested: a summary, a graph, a version,
//     help. Everything else goes to standard error.
//   - Our lines on standard error begin with "build: ". Each error has a line,
//     "build: error: …", followed by what the user can do, "build: hint: …".
//   - Foreign text never controls the terminal: see [report.Shown]. Standard output
//     that is no terminal gets the bytes unchanged.
//   - Only these words and the marks of the view are coloured, only on a terminal,
//     and never if NO_COLOR is set.
//   - In a GitHub workflow errors and warnings are annotations, and no other output
//     is a command: see [github].
type ui struct {
	mu     sync.Mutex
	stdout io.Writer
	stderr io.Writer
	colour bool
	quiet  bool
	mode   string // the value of --progress
	dumb   bool   // the terminal can't move its cursor up
	screen *screen
	plain  progress.Plain
	github *github // nil outside of its workflows
}

func newUI(stdout, stderr io.Writer, env func(string) string) *ui {
	dumb := env("TERM") == "dumb"
	u := &ui{stdout: stdout, stderr: stderr, dumb: dumb, colour: isTerminal(stderr) && env("NO_COLOR") == "" && !dumb}
	if env("GITHUB_ACTIONS") == "true" {
		u.github = &github{to: stderr, workspace: env("GITHUB_WORKSPACE")}
		u.stderr = guarded(stderr)
	}
	return u
}

// isTerminal reports whether w is a terminal.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// result prints what the user requested.
func (u *ui) result(text string) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if isTerminal(u.stdout) {
		text = report.Shown(text)
	}
	_, err := io.WriteString(u.text(), text)
	return err
}

// text is the standard output for text; images are written there directly.
func (u *ui) text() io.Writer {
	if u.github == nil {
		return u.stdout
	}
	return guarded(u.stdout)
}

// resultJSON prints what the user requested as JSON.
func (u *ui) resultJSON(value any) error {
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	return u.result(string(text) + "\n")
}

// note reports progress, unless the user wants to see problems only.
func (u *ui) note(format string, args ...any) {
	if u.quiet {
		return
	}
	text := fmt.Sprintf(format, args...)
	if warning, ok := strings.CutPrefix(text, "warning: "); ok && u.github != nil {
		u.annotate("warning", warning)
		return
	}
	u.lines("", "", text)
}

// fail prints an error: every problem on its own line, then the output of the failed step,
// then the hints. Output that is too long is stored by keep, which returns its path.
func (u *ui) fail(err error, keep func(text string) (place string, err error)) {
	if u.github != nil {
		u.annotate("error", err.Error())
	} else {
		u.lines("error: ", red, err.Error())
	}
	if step, ok := errors.AsType[*lamina.StepError](err); ok && step.Output != "" {
		u.output(step, keep)
	}
	for _, hint := range failure.Hints(err) {
		u.lines("hint: ", cyan, hint)
	}
}

// annotate reports errors or warnings at their positions.
func (u *ui) annotate(command, text string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.github.annotate(command, report.Shown(text))
}

// outputLines limits the lines of a step's output that are shown, lineBytes their length,
// and restLines the lines after the one that says why the step failed: more would hide it.
const (
	outputLines = 40
	restLines   = 10
	lineBytes   = 2000
)

// output prints the part of a step's output that says why it failed, set off from our lines.
func (u *ui) output(step *lamina.StepError, keep func(text string) (place string, err error)) {
	lines := strings.Split(strings.TrimRight(step.Output, "\n"), "\n")
	title := "output of " + step.Step
	isLong := func(line string) bool { return len(line) > lineBytes }
	if all := len(lines); all > outputLines || slices.ContainsFunc(lines, isLong) {
		if place, err := keep(step.Output); err == nil {
			last := min(all, max(step.Line+restLines, outputLines))
			first := max(0, last-outputLines)
			title += fmt.Sprintf(", lines %d to %d; the full output is in %s", first+1, last, place)
			lines = lines[first:last]
			for i, line := range lines {
				if isLong(line) {
					lines[i] = line[:lineBytes] + "…"
				}
			}
		}
	}
	u.lines("", "", title)
	u.write("  │ " + strings.ReplaceAll(report.Shown(strings.Join(lines, "\n")), "\n", "\n  │ ") + "\n")
}

const (
	red   = "\x1b[1;31m"
	green = "\x1b[32m"
	cyan  = "\x1b[36m"
	off   = "\x1b[0m"
)

func (u *ui) lines(word, colour, text string) {
	if u.colour && word != "" {
		word = colour + strings.TrimSuffix(word, " ") + off + " "
	}
	var b strings.Builder
	for line := range strings.SplitSeq(strings.TrimRight(report.Shown(text), "\n"), "\n") {
		fmt.Fprintf(&b, "build: %s%s\n", word, line)
	}
	u.write(b.String())
}

// write prints whole lines, above the view.
func (u *ui) write(text string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.screen != nil {
		u.screen.above(text)
		return
	}
	_, _ = io.WriteString(u.stderr, text)
}
