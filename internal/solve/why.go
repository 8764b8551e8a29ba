package solve

import (
	"regexp"
	"strings"
)

// echoes matches lines that only repeat that another program has failed, which said why
// above, or that only add context: excerpts of code, notes, summaries.
var echoes = regexp.MustCompile(`returned non-zero exit status \d+|^(g?make|ninja)(\[\d+\])?: (\*\*\*|build stopped|Leaving|Entering)|` +
	`^error: command '.*' failed with exit (code|status) \d+|^error: subprocess-exited-with-error|^error: Failed building wheel|^ERROR: Failed to build|` +
	`^collect2: error: ld returned|^compilation terminated\.|^cc1(plus)?: (all|some) warnings being treated|^\d+ (warnings?|errors?)( and \d+ errors?)? (generated|detected)|` +
	`^-- Configuring incomplete|^See also "|^FAILED: |: (note|warning): |^(note|hint|warning): |^In file included from |^(During handling of|The above exception) |^\d* *\||` +
	`^\[ *\d+(/\d+|%)\] |^ERROR Backend subprocess exited|^\[end of output\]`)

// whyLine returns the line of an output, from 0, that says why a program ended: the last one
// that is no echo.
func whyLine(lines []string) int {
	for i := len(lines) - 1; i >= 0; i-- {
		line := strings.TrimSpace(lines[i])
		if echoes.MatchString(line) {
			i = tracebackOf(lines, i)
		} else if strings.ContainsFunc(line, isLetter) {
			return i
		}
	}
	return len(lines) - 1
}

// Line returns which line of the output, from 0, says why the step failed.
func (e *Error) Line() int { return whyLine(strings.Split(e.Output, "\n")) }

// why returns that line of an output, truncated.
func why(output string) string {
	lines := strings.Split(strings.TrimSpace(output), "\n")
	line := strings.TrimSpace(lines[whyLine(lines)])
	if len(line) > lineLimit {
		line = strings.ToValidUTF8(line[:lineLimit], "") + "…"
	}
	return line
}

func isLetter(r rune) bool { return r > 0x7f || 'a' <= r|0x20 && r|0x20 <= 'z' }

// tracebackOf returns the first line of the Python traceback whose exception is in line at, else at.
func tracebackOf(lines []string, at int) int {
	for i := at - 1; i >= 0; i-- {
		if strings.HasPrefix(lines[i], "Traceback (") {
			return i
		}
		if !strings.HasPrefix(lines[i], "  ") {
			break
		}
	}
	return at
}

// lineLimit is how much of a line of output an error repeats, in bytes.
const lineLimit = 300
