package progress

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"lamina.build/internal/humanize"
)

// Marks begin the line of a stage or a step: it runs, is done, has failed, was stopped, or
// waits for others.
const (
	runs    = '•'
	done    = '✓'
	failed  = '✗'
	stopped = '-'
	waits   = '·'
)

// Limits of the view: lines of a step's output, and steps of one stage.
const (
	tailLines  = 3
	stageSteps = 4
)

// line is a line of the view: a stage, or a running step with its last output.
type line struct {
	mark  rune
	stage string
	parts []string // its text, the most important first
	took  time.Duration
	tail  []string
}

// View returns what a terminal of this size shows at a time, at most one line less than it
// has: the stages in order, and for running ones the steps and their last output. On a
// terminal that is too small it shows what runs. No line is as wide as the terminal.
func (s *Steps) View(now time.Time, columns, rows int) []string {
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

// stageLines returns the lines of one stage: the running steps, or else a summary.
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
		parts := []string{at.title()}
		if s.only != Model { // its steps have it in their names
			have, want := at.bytes()
			parts = append(parts, moved(have, want, took)...)
		}
		lines = append(lines, line{mark: runs, stage: stage, parts: parts, took: took, tail: tail(at.tail)})
	}
	return lines
}

// waits reports whether steps of a stage may still begin. It can't tell for steps that only
// cached ones depend on.
func (s *Steps) waits(stage string) bool {
	for _, other := range s.await {
		if other == stage {
			return !s.over
		}
	}
	return false
}

// sum returns the line of a stage in which nothing runs.
func (s *Steps) sum(all []*step) line {
	l := line{mark: done, stage: all[0].stage}
	var worked int
	var bytes int64
	began, ended := all[0].began, all[0].ended
	for _, at := range all {
		if at.failed || at.stopped && l.mark == done {
			l.mark, l.parts = stopped, []string{at.title()}
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

// fetching returns the line of files being fetched. An engine reports only complete files.
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

// bytes returns the bytes that the engine has reported for the parts of a step.
func (s *step) bytes() (have, want int64) {
	for _, p := range s.parts {
		have, want = have+p.Current, want+p.Total
	}
	return have, want
}

// moved formats the progress of something of known size, its rate and the time left.
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
