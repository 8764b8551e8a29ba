package progress

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/width"

	"lamina.build/internal/humanize"
	"lamina.build/internal/report"
)

// Marks begin the line of a stage or a step: it runs, is done, has
// failed, was stopped, or waits for others.
const (
	runs    = '•'
	done    = '✓'
	failed  = '✗'
	stopped = '-'
	waits   = '·'
)

// Most lines of a step's output, and most steps of one stage, that the view shows at once.
const (
	tailLines  = 3
	stageSteps = 4
)

// line is one of the view: of a stage, or of a running step and what it printed last.
type line struct {
	mark  rune
	stage string
	parts []string // what it tells, the most important first
	took  time.Duration
	tail  []string
}

// View is what a terminal of this size shows at a time, at most a line less than it has:
// the stages in their order, and in those that run the steps and what these printed last.
// A terminal that is too small for it shows what runs. No line is as wide as the terminal.
func (s *Steps) View(now time.Time, columns, rows int) []string {
	now = now.Add(s.skew)
	var lines []line
	for _, stage := range order() {
		lines = append(lines, s.stageLines(stage, now)...)
	}
	lines = fit(lines, rows-1)
	var text []string
	for _, l := range lines {
		text = append(text, l.text(columns-1))
		for _, out := range l.tail {
			text = append(text, clip(strings.Repeat(" ", min(4, columns/20))+"│ "+out, columns-1))
		}
	}
	return text
}

// stageLines are those of one stage: what runs, or else the sum of what ran.
func (s *Steps) stageLines(stage string, now time.Time) []line {
	var all, running []*step
	for _, at := range s.list {
		if at.stage == stage {
			all = append(all, at)
			if at.runs() {
				running = append(running, at)
			}
		}
	}
	switch {
	case len(all) == 0:
		return nil
	case len(running) == 0:
		l := s.sum(all)
		if l.mark == done && s.waits(stage) {
			if l.mark, l.took = waits, 0; !slices.ContainsFunc(all, func(at *step) bool { return at.worked }) {
				l.parts = nil
			}
		}
		return []line{l}
	case stage == Fetch:
		return []line{s.fetching(all, now)}
	}
	var lines []line
	for i, at := range running {
		if i == stageSteps-1 && len(running) > stageSteps {
			return append(lines, line{mark: runs, stage: stage, parts: []string{fmt.Sprintf("and %d more", len(running)-i)}})
		}
		took := now.Sub(at.started)
		parts := []string{short(at.name, stage)}
		if s.only != Model { // whose steps have it in their names
			have, want := at.bytes()
			parts = append(parts, moved(have, want, took)...)
		}
		lines = append(lines, line{mark: runs, stage: stage, parts: parts, took: took, tail: tail(at.tail)})
	}
	return lines
}

// waits says whether steps of a stage may begin still. Nobody knows of those on which
// nothing depends but what is in the cache.
func (s *Steps) waits(stage string) bool {
	for _, other := range s.await {
		if other == stage {
			return !s.over
		}
	}
	return false
}

// sum is the line of a stage in which nothing runs.
func (s *Steps) sum(all []*step) line {
	l := line{mark: done, stage: all[0].stage}
	var worked int
	var bytes int64
	began, ended := all[0].began, all[0].ended
	for _, at := range all {
		if at.failed || at.stopped && l.mark == done {
			l.mark, l.parts = stopped, []string{short(at.name, at.stage)}
			if at.failed {
				l.mark = failed
			}
		}
		if at.worked {
			worked++
			bytes += s.sizes[at.name]
		}
		if at.began.Before(began) {
			began = at.began
		}
		if at.ended.After(ended) {
			ended = at.ended
		}
	}
	if l.took = ended.Sub(began); l.mark != done {
		return l
	}
	l.parts = []string{"from the cache"}
	if worked > 0 {
		l.parts = []string{humanize.Count(worked, l.what())}
	}
	if bytes > 0 {
		l.parts = append(l.parts, humanize.Size(bytes))
	}
	return l
}

func (l line) what() string {
	if l.stage == Fetch {
		return "file"
	}
	return "step"
}

// fetching is the line of files on their way. An engine tells of them when they have come.
func (s *Steps) fetching(all []*step, now time.Time) line {
	var have, want int64
	var came, files int
	began := now
	for _, at := range all {
		if !at.worked && !at.runs() {
			continue
		}
		if at.began.Before(began) {
			began = at.began
		}
		files++
		size := s.sizes[at.name]
		if want += size; !at.runs() {
			have += size
			came++
			continue
		}
		h, w := at.bytes()
		have, want = have+h, want+max(0, w-size)
	}
	parts := append(moved(have, want, now.Sub(began)), fmt.Sprintf("%d of %d files", came, files))
	return line{mark: runs, stage: Fetch, parts: parts, took: now.Sub(began)}
}

// bytes are those that the engine has told of the parts of a step.
func (s *step) bytes() (have, want int64) {
	for _, p := range s.parts {
		have, want = have+p.Current, want+p.Total
	}
	return have, want
}

// moved tells how far something is whose size is known, how fast it goes, and how long it
// takes still.
func moved(have, want int64, took time.Duration) []string {
	if want <= 0 {
		return nil
	}
	parts := []string{fmt.Sprintf("%2d %%", 100*have/want)}
	if rate := float64(have) / took.Seconds(); took >= time.Second && have > 0 {
		if left := float64(want-have) / rate; left < (100 * time.Hour).Seconds() {
			parts = append(parts, brief(time.Duration(left*float64(time.Second)))+" left")
		}
		return append(parts, humanize.Size(have)+" of "+humanize.Size(want), humanize.Size(int64(rate))+"/s")
	}
	return append(parts, humanize.Size(have)+" of "+humanize.Size(want))
}

// tail are the last lines of an output, as a terminal may have them.
func tail(output []byte) []string {
	output = bytes.TrimRight(output, "\r\n")
	for n := 1; n < utf8.UTFMax && len(output) > 0 && !utf8.RuneStart(output[0]); n++ { // the rest of a letter
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

// fit leaves out what a terminal of so many rows has no place for: what steps printed first,
// then stages that are done, then what comes last.
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

// text is the line in so many columns: the parts that there is room for, and the time at
// the end.
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
			if columns < 40 { // the time makes way
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

// brief is a duration in whole seconds: "3m20s".
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

// cells are the columns that text takes.
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
