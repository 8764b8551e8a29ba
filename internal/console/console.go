// Package console prints what a command has to say: results, notes and errors, and the work
// of engines, as a view on a terminal and as lines in a log.
package console

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"golang.org/x/term"

	"lamina.build"

	"lamina.build/internal/atomicfile"
	"lamina.build/internal/failure"
	"lamina.build/internal/progress"
	"lamina.build/internal/report"
)

// Console does all printing. Its rules:
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
type Console struct {
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
	env    func(string) string
}

// New returns the console of two streams and an environment, whose NO_COLOR, TERM and
// GITHUB_ACTIONS count.
func New(stdout, stderr io.Writer, env func(string) string) *Console {
	dumb := env("TERM") == "dumb"
	c := &Console{stdout: stdout, stderr: stderr, env: env, dumb: dumb, colour: isTerminal(stderr) && env("NO_COLOR") == "" && !dumb}
	if env("GITHUB_ACTIONS") == "true" {
		c.github = &github{to: stderr, workspace: env("GITHUB_WORKSPACE")}
		c.stderr = guarded(stderr)
	}
	return c
}

// About names the directory of the project, which messages name its files relative to.
func (c *Console) About(dir string) {
	if c.github != nil {
		c.github.dir = dir
	}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// Stdout is the standard output, for images.
func (c *Console) Stdout() io.Writer { return c.stdout }

// Stderr is the standard error, for what libraries print.
func (c *Console) Stderr() io.Writer { return c.stderr }

// OnTerminal reports whether the standard output is a terminal.
func (c *Console) OnTerminal() bool { return isTerminal(c.stdout) }

// Result prints what the user requested.
func (c *Console) Result(text string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.OnTerminal() {
		text = report.Shown(text)
	}
	_, err := io.WriteString(c.Text(), text)
	return err
}

// Text is the standard output for text.
func (c *Console) Text() io.Writer {
	if c.github == nil {
		return c.stdout
	}
	return guarded(c.stdout)
}

// ResultJSON prints what the user requested as JSON.
func (c *Console) ResultJSON(value any) error {
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	return c.Result(string(text) + "\n")
}

// Notef reports progress, unless the user wants to see problems only.
func (c *Console) Notef(format string, args ...any) {
	if c.quiet {
		return
	}
	text := fmt.Sprintf(format, args...)
	if warning, ok := strings.CutPrefix(text, "warning: "); ok && c.github != nil {
		c.annotate("warning", warning)
		return
	}
	c.lines("", "", text)
}

// Fail prints an error: every problem on its own line, then the output of the failed step,
// then the hints. Output that is too long is also stored.
func (c *Console) Fail(err error) {
	if c.github != nil {
		c.annotate("error", err.Error())
	} else {
		c.lines("error: ", red, err.Error())
	}
	if step, ok := errors.AsType[*lamina.StepError](err); ok && step.Output != "" {
		c.output(step)
	}
	for _, hint := range failure.Hints(err) {
		c.lines("hint: ", cyan, hint)
	}
}

// annotate reports errors or warnings at their positions.
func (c *Console) annotate(command, text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.github.annotate(command, report.Shown(text))
}

// outputLines limits the lines of a step's output that are shown, lineBytes their length,
// and restLines the lines after the one that says why the step failed: more would hide it.
const (
	outputLines = 40
	restLines   = 10
	lineBytes   = 2000
)

// output prints the part of a step's output that says why it failed, set off from our lines.
func (c *Console) output(step *lamina.StepError) {
	lines := strings.Split(strings.TrimRight(step.Output, "\n"), "\n")
	title := "output of " + step.Step
	isLong := func(line string) bool { return len(line) > lineBytes }
	if all := len(lines); all > outputLines || slices.ContainsFunc(lines, isLong) {
		if place, err := c.keep(step.Output); err == nil {
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
	c.lines("", "", title)
	c.write("  │ " + strings.ReplaceAll(report.Shown(strings.Join(lines, "\n")), "\n", "\n  │ ") + "\n")
}

// keep stores the output of the step that failed, in place of the last one's.
func (c *Console) keep(text string) (place string, err error) {
	dir, err := lamina.Options{Env: c.env}.CacheRoot()
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err != nil {
		return "", err
	}
	place = filepath.Join(dir, "failed-step.log")
	text = strings.TrimRight(report.Shown(text), "\n") + "\n" // it will be shown by another program
	return place, atomicfile.Write(place, []byte(text), 0o600)
}

const (
	red   = "\x1b[1;31m"
	green = "\x1b[32m"
	cyan  = "\x1b[36m"
	off   = "\x1b[0m"
)

func (c *Console) lines(word, colour, text string) {
	if c.colour && word != "" {
		word = colour + strings.TrimSuffix(word, " ") + off + " "
	}
	var b strings.Builder
	for line := range strings.SplitSeq(strings.TrimRight(report.Shown(text), "\n"), "\n") {
		fmt.Fprintf(&b, "build: %s%s\n", word, line)
	}
	c.write(b.String())
}

// write prints whole lines, above the view.
func (c *Console) write(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.screen != nil {
		c.screen.above(text)
		return
	}
	_, _ = io.WriteString(c.stderr, text)
}
