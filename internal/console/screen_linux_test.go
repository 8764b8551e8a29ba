package console

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/buildkit/client"
	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"

	"lamina.build"

	"lamina.build/internal/test/pty"
)

// emulator shows what is seen on a terminal: it wraps lines, scrolls, and obeys the few
// sequences that a view is drawn with. It panics on any other.
type emulator struct {
	columns, rows int
	lines         []string // including those scrolled away
	row, column   int
}

var sequence = regexp.MustCompile(`^\x1b\[(\d*)([A-Za-z])`)

func (e *emulator) write(text string) {
	for text != "" {
		if m := sequence.FindStringSubmatch(text); m != nil {
			e.obey(m[1], m[2])
			text = text[len(m[0]):]
			continue
		}
		r, n := utf8.DecodeRuneInString(text)
		text = text[n:]
		switch {
		case r == '\n':
			e.row++
		case r == '\r':
			e.column = 0
		case r < ' ' || r == utf8.RuneError && n == 1:
			panic(fmt.Sprintf("unexpected %q", r))
		default:
			wide := r >= 0x2e80 && r < 0xff00
			if e.column == e.columns || wide && e.column == e.columns-1 {
				e.row, e.column = e.row+1, 0
			}
			if e.put(r); wide {
				e.put(' ')
			}
		}
	}
}

func (e *emulator) line() *string {
	for len(e.lines) <= e.row {
		e.lines = append(e.lines, "")
	}
	return &e.lines[e.row]
}

func (e *emulator) put(r rune) {
	runes := []rune(*e.line())
	for len(runes) <= e.column {
		runes = append(runes, ' ')
	}
	runes[e.column] = r
	*e.line() = string(runes)
	e.column++
}

func (e *emulator) obey(number, what string) {
	switch n, _ := strconv.Atoi(number); what {
	case "A":
		top := max(0, len(e.lines)-e.rows) // lines scrolled away are out of reach
		e.row = max(top, e.row-n)
	case "K":
		*e.line() = string([]rune(*e.line())[:min(e.column, utf8.RuneCountInString(*e.line()))])
	case "J":
		e.obey("", "K")
		e.lines = e.lines[:e.row+1]
	case "m":
	default:
		panic("unexpected sequence " + what)
	}
}

func (e *emulator) seen() []string {
	lines := slices.Clone(e.lines)
	for i, line := range lines {
		lines[i] = strings.TrimRight(line, " ")
	}
	for len(lines) > 0 && lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	return lines
}

// watched is a user interface on a terminal, and the output it received.
type watched struct {
	*Console
	t      *testing.T
	ours   *os.File
	theirs *os.File
	mu     sync.Mutex
	came   strings.Builder
	closed chan struct{}
}

func onTerminal(t *testing.T, columns, rows int, env map[string]string) *watched {
	t.Helper()
	ours, theirs, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	w := &watched{t: t, ours: ours, theirs: theirs, closed: make(chan struct{})}
	w.resize(columns, rows)
	w.Console = New(theirs, theirs, func(name string) string { return env[name] })
	go func() {
		defer close(w.closed)
		part := make([]byte, 4096)
		for {
			n, err := ours.Read(part)
			w.mu.Lock()
			w.came.Write(part[:n])
			w.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return w
}

func (w *watched) resize(columns, rows int) {
	if err := unix.IoctlSetWinsize(int(w.ours.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: uint16(rows), Col: uint16(columns)}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *watched) Text() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.came.String()
}

// until waits for text after the given offset, and returns all output.
func (w *watched) until(from int, text string) string {
	w.t.Helper()
	for range 1000 {
		if came := w.Text(); strings.Contains(came[from:], text) {
			return came
		}
		time.Sleep(20 * time.Millisecond)
	}
	w.t.Fatalf("no %q came after %q", text, w.Text()[from:])
	return ""
}

// end closes the terminal and returns all output.
func (w *watched) end() string {
	_ = w.theirs.Close()
	<-w.closed
	_ = w.ours.Close()
	return w.Text()
}

// step is a step that has begun, and that ended after seconds if these aren't zero.
func step(name string, seconds int) *client.SolveStatus {
	begin := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	v := &client.Vertex{Digest: digest.FromString(name), Name: name, Inputs: []digest.Digest{"source"}}
	end := begin.Add(time.Duration(seconds) * time.Second)
	if v.Started = &begin; seconds > 0 {
		v.Completed = &end
	}
	return &client.SolveStatus{Vertexes: []*client.Vertex{v}}
}

func prints(name, text string) *client.SolveStatus {
	return &client.SolveStatus{Logs: []*client.VertexLog{{Vertex: digest.FromString(name), Data: []byte(text)}}}
}

// On any terminal, the end shows every note once, and below them the summary of the stages:
// no intermediate drawing is left, and nothing is overwritten.
func TestTerminals(t *testing.T) {
	for _, size := range []struct{ columns, rows int }{{80, 24}, {20, 24}, {20, 4}, {0, 0}} {
		t.Run(fmt.Sprintf("%dx%d", size.columns, size.rows), func(t *testing.T) {
			w := onTerminal(t, size.columns, size.rows, nil)
			steps, done := make(chan *client.SolveStatus), make(chan error)
			w.Notef("one")
			go func() { done <- w.Watch(t.Context(), lamina.Work{}, steps) }()
			steps <- step("native: compile", 0)
			steps <- prints("native: compile", "\x1b[2Jerased\r\n"+strings.Repeat("顔x", 100)+"\n\x00\xff\n")
			w.until(0, "\\x00")
			w.Notef("two")
			steps <- step("runtime: install 2 packages", 0)
			w.until(0, "runtime")
			w.Notef("three")
			steps <- step("native: compile", 63)
			steps <- step("runtime: install 2 packages", 5)
			close(steps)
			if err := <-done; err != nil {
				t.Error(err)
			}
			w.Notef("four")
			e := emulator{columns: 80, rows: 24}
			if size.columns > 0 {
				e.columns, e.rows = size.columns, size.rows
			}
			e.write(w.end())
			sums := []string{fmt.Sprintf("%-72s1m3s", "✓ wheels   1 step"), fmt.Sprintf("%-74s5s", "✓ runtime  1 step")}
			if e.columns == 20 {
				sums = []string{"✓ wheels  1 step", "✓ runtime 1 step"}
			}
			want := []string{"build: one", "build: two", "build: three", sums[0], sums[1], "build: four"}
			if diff := cmp.Diff(want, e.seen()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// The view follows a change of the terminal's size.
func TestResizedTerminals(t *testing.T) {
	w := onTerminal(t, 100, 30, nil)
	steps, done := make(chan *client.SolveStatus), make(chan error)
	go func() { done <- w.Watch(t.Context(), lamina.Work{}, steps) }()
	steps <- step("native: compile", 0)
	steps <- prints("native: compile", strings.Repeat("a long line ", 30)+"\n")
	before := len(w.until(0, "a long line a long line a long line a long line a long line"))
	w.Notef("kept")
	w.resize(20, 5)
	w.until(before, "native: …")
	narrow := len(w.until(before, "│ a long line a l…"))
	w.resize(90, 30)
	w.until(narrow, "a long line a long line a long line a long line")
	steps <- step("native: compile", 3)
	close(steps)
	if err := <-done; err != nil {
		t.Error(err)
	}
	e := emulator{columns: 100, rows: 30}
	e.write(w.end())
	want := []string{"build: kept", fmt.Sprintf("%-74s3s", "✓ wheels   1 step")}
	if diff := cmp.Diff(want, e.seen()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Colour can be turned off, and a terminal that can't redraw gets a log.
func TestColourlessTerminals(t *testing.T) {
	for name, tt := range map[string]struct {
		env          map[string]string
		has, without string
	}{
		"with colour": {nil, "\x1b[36m•\x1b[0m wheels", "#1 "},
		"NO_COLOR":    {map[string]string{"NO_COLOR": "1"}, "• wheels", "m"},
		"dumb":        {map[string]string{"TERM": "dumb"}, "#1 [wheels] x: compile\r\n", "\x1b"},
	} {
		t.Run(name, func(t *testing.T) {
			w := onTerminal(t, 80, 24, tt.env)
			steps, done := make(chan *client.SolveStatus), make(chan error)
			go func() { done <- w.Watch(t.Context(), lamina.Work{}, steps) }()
			steps <- step("x: compile", 0)
			w.until(0, "wheels")
			close(steps)
			if err := <-done; err != nil {
				t.Error(err)
			}
			if err := w.Show("tty"); (err != nil) != (name == "dumb") {
				t.Errorf("--progress tty is %v", err)
			}
			came := w.end()
			sequences := strings.Join(regexp.MustCompile(`\x1b\[\d*(;\d+)?[A-Za-z]|#1 `).FindAllString(came, -1), "")
			if !strings.Contains(came, tt.has) || strings.Contains(sequences, tt.without) {
				t.Errorf("no %q, or a %q in %q", tt.has, tt.without, came)
			}
		})
	}
}
