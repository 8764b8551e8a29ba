package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Shown returns text that is safe for a terminal, whoever wrote it: builds, registries and
// packages bring their own. What would control the terminal, reverse the order of letters
// or is no UTF-8 is escaped as in Go ("\x1b]52;…"), except line ends and tabs.
func Shown(text string) string {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	if !strings.ContainsFunc(text, drives) {
		return text // invalid UTF-8 would have been found as U+FFFD
	}
	var b strings.Builder
	for i, r := range text {
		switch _, size := utf8.DecodeRuneInString(text[i:]); {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, text[i])
		case r != utf8.RuneError && drives(r):
			quoted := fmt.Sprintf("%+q", r) // in single quotes
			b.WriteString(quoted[1 : len(quoted)-1])
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// drives reports whether a rune may do more to a terminal than be displayed.
func drives(r rune) bool {
	return r != '\n' && r != '\t' && (r == utf8.RuneError || !unicode.IsGraphic(r))
}

// ShownLine returns text that must stay on one line: a second one would look like ours, or
// move the lines that a display goes back over.
func ShownLine(text string) string {
	return strings.NewReplacer("\n", `\n`, "\t", `\t`).Replace(Shown(text))
}

// shownStream escapes text in pieces, which may end within a character.
type shownStream struct{ rest []byte }

// next returns the text of another piece. It keeps an incomplete end for the next one.
func (s *shownStream) next(piece []byte) string {
	all := slices.Concat(s.rest, piece)
	whole := len(all) - Begun(all)
	s.rest = all[whole:]
	return Shown(string(all[:whole]))
}

// Begun returns how many bytes at the end of text are incomplete: the beginning of a
// character or of a line end.
func Begun(text []byte) int {
	if len(text) > 0 && text[len(text)-1] == '\r' {
		return 1
	}
	for n := 1; n < utf8.UTFMax && n <= len(text); n++ {
		if last := text[len(text)-n:]; utf8.RuneStart(last[0]) {
			if utf8.FullRune(last) {
				return 0
			}
			return n
		}
	}
	return 0
}

// ShownWriter escapes what is written through it as [Shown] does.
type ShownWriter struct {
	To io.Writer

	shownStream
}

func (s *ShownWriter) Write(p []byte) (int, error) {
	if _, err := io.WriteString(s.To, s.next(p)); err != nil {
		return 0, err
	}
	return len(p), nil
}
