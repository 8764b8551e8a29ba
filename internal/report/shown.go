package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Shown is text as a terminal may have it, whoever wrote it: builds, registries and
// packages bring words of their own. What would drive the terminal, turn the order of
// letters or is no UTF-8 is shown as Go writes it ("\x1b]52;…"), but for the ends of
// lines and tabs.
func Shown(text string) string {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	if !strings.ContainsFunc(text, drives) {
		return text // U+FFFD stands for bytes that are none, so that there are none here
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

// drives says of a rune that it may do more to a terminal than be seen on it.
func drives(r rune) bool {
	return r != '\n' && r != '\t' && (r == utf8.RuneError || !unicode.IsGraphic(r))
}

// ShownLine is text that has to stay on one line: a second one would be taken for ours, or
// move those that a display goes back over.
func ShownLine(text string) string {
	return strings.NewReplacer("\n", `\n`, "\t", `\t`).Replace(Shown(text))
}

// shownStream makes text shown that comes in pieces, which may end within a letter.
type shownStream struct{ rest []byte }

// next is the text of a further piece. What begins at its end and isn't whole waits for the
// next one.
func (s *shownStream) next(piece []byte) string {
	all := slices.Concat(s.rest, piece)
	whole := len(all) - Begun(all)
	s.rest = all[whole:]
	return Shown(string(all[:whole]))
}

// Begun is how many bytes at the end of text are the beginning of something: of a letter,
// or of the end of a line.
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

// ShownWriter makes shown what is written through it.
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
