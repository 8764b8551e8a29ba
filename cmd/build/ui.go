package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"golang.org/x/term"

	"lamina.build"

	"lamina.build/internal/failure"
	"lamina.build/internal/report"
)

// ui is the only thing that prints. Its rules:
//
//   - Standard output is for what was asked for: a summary, a graph, a
//     version, help. Everything else goes to standard error.
//   - A line of ours on standard error begins with "build: ". An error is a
//     line each, "build: error: …"; what can be done about it follows,
//     "build: hint: …".
//   - Nothing that somebody else has written drives the terminal: see [report.Shown].
//     Standard output has the bytes as they are where no terminal reads them.
//   - Colour marks these words only, on a terminal only, and never where
//     NO_COLOR is set.
type ui struct {
	mu     sync.Mutex
	stdout io.Writer
	stderr io.Writer
	colour bool
	quiet  bool
	mode   string // how the work of an engine is shown, see --progress
}

func newUI(stdout, stderr io.Writer, env func(string) string) *ui {
	return &ui{
		stdout: stdout,
		stderr: stderr,
		colour: isTerminal(stderr) && env("NO_COLOR") == "" && env("TERM") != "dumb",
	}
}

// isTerminal says whether people are likely to see what is written to w.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// result prints what the user asked for.
func (u *ui) result(text string) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if isTerminal(u.stdout) {
		text = report.Shown(text)
	}
	_, err := io.WriteString(u.stdout, text)
	return err
}

// resultJSON prints what the user asked for, for a program to read.
func (u *ui) resultJSON(value any) error {
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	return u.result(string(text) + "\n")
}

// note tells how things go, unless the user wants to hear of trouble only.
func (u *ui) note(format string, args ...any) {
	if !u.quiet {
		u.lines("", "", fmt.Sprintf(format, args...))
	}
}

// fail prints an error: what the step that failed had printed, every fault on
// a line of its own, then the hints.
func (u *ui) fail(err error) {
	if step, ok := errors.AsType[*lamina.StepError](err); ok && step.Output != "" {
		u.lines("", "", "output of "+step.Step)
		u.raw(step.Output)
	}
	u.lines("error: ", red, err.Error())
	for _, hint := range failure.Hints(err) {
		u.lines("hint: ", cyan, hint)
	}
}

const (
	red  = "\x1b[1;31m"
	cyan = "\x1b[36m"
	off  = "\x1b[0m"
)

func (u *ui) lines(word, colour, text string) {
	if u.colour && word != "" {
		word = colour + strings.TrimSuffix(word, " ") + off + " "
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	for line := range strings.SplitSeq(strings.TrimRight(report.Shown(text), "\n"), "\n") {
		fmt.Fprintf(u.stderr, "build: %s%s\n", word, line)
	}
}

// raw prints the output of somebody else, set off from ours.
func (u *ui) raw(text string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for line := range strings.SplitSeq(strings.TrimRight(report.Shown(text), "\n"), "\n") {
		fmt.Fprintf(u.stderr, "  │ %s\n", line)
	}
}
