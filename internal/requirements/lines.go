package requirements

import (
	"iter"
	"strings"
)

// line is a logical line: continuations joined, without its comment, not empty.
type line struct {
	source
	number int // of its first physical line
	text   string
}

// physical numbers the lines of a text, whatever ends them.
func physical(text string) iter.Seq2[int, string] {
	return func(yield func(int, string) bool) {
		for number := 1; text != ""; number++ {
			end := strings.IndexAny(text, "\r\n")
			if end < 0 {
				yield(number, text)
				return
			}
			if !yield(number, text[:end]) {
				return
			}
			if strings.HasPrefix(text[end:], "\r\n") {
				end++
			}
			text = text[end+1:]
		}
	}
}

// lines yields the logical lines of a file.
func lines(src source, text string) iter.Seq[line] {
	return func(yield func(line) bool) {
		for number, joined := range join(text) {
			bare := strings.TrimSpace(withoutComment(joined))
			if bare != "" && !yield(line{src, number, bare}) {
				return
			}
		}
	}
}

// join puts a line that ends in a backslash together with the next one. As in
// pip, a line that is only a comment ends what is continued.
func join(text string) iter.Seq2[int, string] {
	return func(yield func(int, string) bool) {
		first, parts := 0, []string(nil)
		for number, one := range physical(text) {
			if len(parts) == 0 {
				first = number
			}
			part, more := continued(one)
			parts = append(parts, part)
			if more {
				continue
			}
			if !yield(first, strings.Join(parts, "")) {
				return
			}
			parts = parts[:0]
		}
		if len(parts) > 0 {
			yield(first, strings.Join(parts, ""))
		}
	}
}

// continued returns what a line contributes to its logical line, and whether
// the next one goes on with it.
func continued(s string) (part string, more bool) {
	if strings.HasPrefix(strings.TrimSpace(s), "#") {
		return " " + s, false // for the comment to be seen behind what it ends
	}
	if strings.HasSuffix(s, `\`) {
		return strings.Trim(s, `\`), true
	}
	return s, false
}

// withoutComment cuts what begins with a # at the start or after white space:
// one inside a word belongs to a URL.
func withoutComment(s string) string {
	for at := 0; ; at++ {
		next := strings.IndexByte(s[at:], '#')
		if next < 0 {
			return s
		}
		at += next
		if at == 0 || isSpace(s[at-1]) {
			return s[:at]
		}
	}
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' }
