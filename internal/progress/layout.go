package progress

import (
	"bytes"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/width"

	"lamina.build/internal/report"
)

// tail returns the last lines of an output, safe for a terminal.
func tail(output []byte) []string {
	output = bytes.TrimRight(output, "\r\n")
	for n := 1; n < utf8.UTFMax && len(output) > 0 && !utf8.RuneStart(output[0]); n++ { // the rest of a character
		output = output[1:]
	}
	if len(output) == 0 {
		return nil
	}
	var lines []string
	for len(lines) < tailLines && len(output) > 0 {
		from := bytes.LastIndexByte(output, '\n') + 1
		if text := strings.TrimSpace(report.Shown(string(output[from:]))); text != "" {
			lines = append([]string{strings.ReplaceAll(text, "\t", " ")}, lines...)
		}
		output = output[:max(0, from-1)]
	}
	return lines
}

// fit leaves out what a terminal with so many rows has no space for: first the output of
// steps, then stages that are done, then the last lines.
func fit(lines []line, rows int) []line {
	over := len(lines) - max(1, rows)
	for _, l := range lines {
		over += len(l.tail)
	}
	for n := tailLines - 1; n >= 0 && over > 0; n-- {
		for i := range lines {
			if l := &lines[i]; len(l.tail) > n && over > 0 {
				over -= len(l.tail) - n
				l.tail = l.tail[len(l.tail)-n:]
			}
		}
	}
	kept := lines[:0]
	for _, l := range lines {
		if over > 0 && (l.mark == done || l.mark == waits) {
			over--
			continue
		}
		kept = append(kept, l)
	}
	return kept[:len(kept)-max(0, over)]
}

// text formats the line for so many columns: the parts that fit, and the time at the end.
func (l line) text(columns int) string {
	text := fmt.Sprintf("%c %-7s", l.mark, l.stage)
	took := ""
	if l.took >= time.Second {
		took = brief(l.took)
	}
	room := columns - len(took) - 2
	for i, part := range l.parts {
		if longer := text + "  " + part; cells(longer) <= room {
			text = longer
		} else if i == 0 {
			if columns < 40 { // drop the time
				took, room = "", columns
			}
			text = clip(text+" "+part, room)
			break
		}
	}
	if gap := columns - cells(text) - len(took); took != "" && gap > 0 {
		text += strings.Repeat(" ", min(gap, max(1, 76-cells(text)-len(took)))) + took
	}
	return clip(text, columns)
}

// brief formats a duration in whole seconds: "3m20s".
func brief(d time.Duration) string { return max(d, time.Second).Round(time.Second).String() }

// clip cuts text to so many columns.
func clip(text string, columns int) string {
	if cells(text) <= columns {
		return text
	}
	used := 0
	for i, r := range text {
		if used += cell(r); used > columns-1 {
			return text[:i] + "…"[:min(len("…"), max(0, columns)*len("…"))]
		}
	}
	return text
}

// cells returns the columns that text occupies.
func cells(text string) (n int) {
	for _, r := range text {
		n += cell(r)
	}
	return n
}

func cell(r rune) int {
	switch {
	case r < 0x300:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	}
	if k := width.LookupRune(r).Kind(); k == width.EastAsianWide || k == width.EastAsianFullwidth {
		return 2
	}
	return 1
}
