package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/moby/buildkit/client"

	"lamina.build/internal/progress"
)

// frame is how often a view is drawn anew at most, and second how often where nothing has
// happened: times go on.
const (
	frame  = 125 * time.Millisecond
	second = time.Second
)

// screen are the lines above the cursor of a terminal, which are drawn anew. A terminal
// that was made narrower may have wrapped them, or not: nobody can know. We go back over
// as many as we wrote, and never over what somebody else did.
type screen struct {
	w      io.Writer
	colour bool
	lines  []string
}

// draw puts lines in the place of those that are there.
func (s *screen) draw(lines []string) {
	if slices.Equal(lines, s.lines) {
		return
	}
	var b strings.Builder
	b.WriteString(s.back())
	for _, line := range lines {
		b.WriteString(s.marked(line) + "\x1b[K\n")
	}
	b.WriteString("\x1b[J")
	_, _ = io.WriteString(s.w, b.String()) // a build goes on where its terminal is gone
	s.lines = lines
}

// above writes what stays above the lines.
func (s *screen) above(text string) {
	lines := s.lines
	_, _ = io.WriteString(s.w, s.back()+"\x1b[J"+text)
	s.lines = nil
	s.draw(lines)
}

func (s *screen) back() string {
	if len(s.lines) == 0 {
		return ""
	}
	return fmt.Sprintf("\r\x1b[%dA", len(s.lines))
}

// marked gives the mark of a line its colour.
func (s *screen) marked(line string) string {
	mark, n := utf8.DecodeRuneInString(line)
	if colour, ok := map[rune]string{'•': cyan, '✓': green, '✗': red}[mark]; ok && s.colour {
		return colour + line[:n] + off + line[n:]
	}
	return line
}

// size is how many columns and rows a terminal has, as far as it says.
func size(w io.Writer) (columns, rows int) {
	if f, ok := w.(*os.File); ok {
		if columns, rows, err := term.GetSize(int(f.Fd())); err == nil && columns > 0 && rows > 0 {
			return columns, rows
		}
	}
	return 80, 24
}

// watchScreen draws steps until the channel is closed.
func (u *ui) watchScreen(steps <-chan *client.SolveStatus, view *progress.Steps) {
	s := &screen{w: u.stderr, colour: u.colour}
	if !u.open(s) {
		for range steps { // something else is drawn already
		}
		return
	}
	defer u.open(nil)
	resumed, stop := whenResumed()
	defer stop()
	tick := time.NewTicker(frame)
	defer tick.Stop()
	var drawn time.Time
	for isNew := false; ; {
		select {
		case status, ok := <-steps:
			if !ok {
				view.End(time.Now())
				u.draw(view)
				return
			}
			view.Update(status, time.Now())
			isNew = true
		case now := <-tick.C:
			if isNew || now.Sub(drawn) >= second {
				u.draw(view)
				drawn, isNew = now, false
			}
		case <-resumed: // a shell has written since
			u.mu.Lock()
			s.lines = nil
			u.mu.Unlock()
		}
	}
}

// open makes s what is drawn, or nothing where it is nil. It says whether nothing was.
func (u *ui) open(s *screen) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if s != nil && u.screen != nil {
		return false
	}
	u.screen = s
	return true
}

func (u *ui) draw(view *progress.Steps) {
	columns, rows := size(u.stderr)
	u.mu.Lock()
	defer u.mu.Unlock()
	u.screen.draw(view.View(time.Now(), columns, rows))
}
