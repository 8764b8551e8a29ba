package requirements

import (
	"errors"
	"strings"
)

var errOpenQuote = errors.New("a quote is not closed")

// cutOptions splits a line before the first word that starts with a dash. As
// in pip, only what stands behind is split like a shell does.
func cutOptions(text string) (item, options string) {
	for at := 0; at < len(text); at++ {
		if text[at] == '-' && (at == 0 || isSpace(text[at-1])) {
			return strings.TrimSpace(text[:at]), text[at:]
		}
	}
	return text, ""
}

// splitter makes words of a text by the rules of a POSIX shell, of which pip
// takes quotes and backslashes (Python's shlex.split).
type splitter struct {
	scanner
	words []string
	word  strings.Builder
	open  bool // a word has begun, be it an empty one in quotes
}

func shellWords(text string) ([]string, error) {
	s := &splitter{scanner: scanner{text: text}}
	for !s.done() {
		if err := s.step(); err != nil {
			return nil, err
		}
	}
	s.end()
	return s.words, nil
}

func (s *splitter) step() error {
	if isSpace(s.text[s.at]) {
		s.space()
		s.end()
		return nil
	}
	s.open = true
	if plain := s.while(isPlain); plain != "" {
		s.word.WriteString(plain)
		return nil
	}
	c := s.next()
	if c != '\\' {
		return s.quoted(c)
	}
	if s.done() {
		return errLooseBackslash
	}
	s.word.WriteByte(s.next())
	return nil
}

func isPlain(c byte) bool { return !isSpace(c) && c != '\'' && c != '"' && c != '\\' }

// quoted reads up to the closing quote. Between double quotes a backslash
// keeps its meaning only before one of them or another backslash.
func (s *splitter) quoted(quote byte) error {
	for !s.done() {
		c := s.next()
		if c == quote {
			return nil
		}
		if c == '\\' && quote == '"' && !s.done() && strings.IndexByte(`"\`, s.text[s.at]) >= 0 {
			c = s.next()
		}
		s.word.WriteByte(c)
	}
	return errOpenQuote
}

func (s *splitter) end() {
	if s.open {
		s.words = append(s.words, s.word.String())
	}
	s.word.Reset()
	s.open = false
}
