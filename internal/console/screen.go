package console

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/moby/buildkit/client"

	"lamina.build/internal/progress"
)

// frame is the shortest time between two drawings of a view, and second the longest, since
// the times in it advance.
const (
	frame  = 125 * time.Millisecond
	second = time.Second
)

// screen is the block of lines above the cursor that is redrawn. A terminal that was made
// narrower may or may not have wrapped them, which is impossible to know. We go back over
// as many lines as we wrote, and never over foreign ones.
type screen struct {
	w      io.Writer
	colour bool
	lines  []string
}

// draw replaces the lines that are there.
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
	_, _ = io.WriteString(s.w, b.String()) // a build continues if its terminal is gone
	s.lines = lines
}

// above writes text that stays above the lines.
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

// marked colours the mark of a line.
func (s *screen) marked(line string) string {
	mark, n := utf8.DecodeRuneInString(line)
	if colour, ok := map[rune]string{'•': cyan, '✓': green, '✗': red}[mark]; ok && s.colour {
		return colour + line[:n] + off + line[n:]
	}
	return line
}

// size returns the columns and rows of a terminal, or 80 by 24 if it reports none.
func size(w io.Writer) (columns, rows int) {
	if f, ok := w.(*os.File); ok {
		if columns, rows, err := term.GetSize(int(f.Fd())); err == nil && columns > 0 && rows > 0 {
			return columns, rows
		}
	}
	return 80, 24
}

// watchScreen draws steps until the channel is closed.
func (c *Console) watchScreen(steps <-chan *client.SolveStatus, view *progress.Steps) {
	s := &screen{w: c.stderr, colour: c.colour}
	if !c.open(s) {
		for range steps { // another view is open
		}
		return
	}
	defer c.open(nil)
	resumed := make(chan os.Signal, 1)
	signal.Notify(resumed, syscall.SIGCONT)
	defer signal.Stop(resumed)
	tick := time.NewTicker(frame)
	defer tick.Stop()
	var drawn time.Time
	for isNew := false; ; {
		select {
		case status, ok := <-steps:
			if !ok {
				view.End(time.Now())
				c.draw(view)
				return
			}
			view.Update(status, time.Now())
			isNew = true
		case now := <-tick.C:
			if isNew || now.Sub(drawn) >= second {
				c.draw(view)
				drawn, isNew = now, false
			}
		case <-resumed: // after Ctrl-Z; the shell has written in between
			c.mu.Lock()
			s.lines = nil
			c.mu.Unlock()
		}
	}
}

// open makes s the current screen; nil closes it. It reports false if another one is open.
func (c *Console) open(s *screen) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s != nil && c.screen != nil {
		return false
	}
	c.screen = s
	return true
}

func (c *Console) draw(view *progress.Steps) {
	columns, rows := size(c.stderr)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.screen.draw(view.View(time.Now(), columns, rows))
}
