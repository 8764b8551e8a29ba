package solve

import (
	"regexp"
	"strings"
)

// echoes are lines of programs that only repeat that another one has failed, which said
// why above, or that point at a place: excerpts of code, notes, summaries.
var echoes = regexp.MustCompile(`returned non-zero exit status \d+|^(g?make|ninja)(\[\d+\])?: (\*\*\*|build stopped|Leaving|Entering)|` +
	`^error: command '.*' failed with exit (code|status) \d+|^error: subprocess-exited-with-error|^error: Failed building wheel|^ERROR: Failed to build|` +
	`^collect2: error: ld returned|^compilation terminated\.|^cc1(plus)?: (all|some) warnings being treated|^\d+ (warnings?|errors?)( and \d+ errors?)? (generated|detected)|` +
	`^-- Configuring incomplete|^See also "|^FAILED: |: (note|warning): |^(note|hint|warning): |^In file included from |^(During handling of|The above exception) |^\d* *\|`)

// lastLine is the last line of an output that says something: the end of many programs is
// an echo of another one's.
func lastLine(output string) string {
	lines := strings.Split(strings.TrimSpace(output), "\n")
	last := lines[len(lines)-1]
	for i := len(lines) - 1; i >= 0; i-- {
		line := strings.TrimSpace(lines[i])
		if echoes.MatchString(line) {
			i = tracebackOf(lines, i)
		} else if strings.ContainsFunc(line, isLetter) {
			last = line
			break
		}
	}
	if last = strings.TrimSpace(last); len(last) > lineLimit {
		last = strings.ToValidUTF8(last[:lineLimit], "") + "…"
	}
	return last
}

func isLetter(r rune) bool { return r > 0x7f || 'a' <= r|0x20 && r|0x20 <= 'z' }

// tracebackOf is where a Python traceback begins whose exception is in a line, or the line.
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

// lineLimit is how much of an output's last line an error repeats, in bytes.
const lineLimit = 300
