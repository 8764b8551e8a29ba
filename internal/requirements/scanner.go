package requirements

import "strings"

// scanner walks over a text of ASCII; other bytes fit nothing it is asked for.
type scanner struct {
	text string
	at   int
}

func (s *scanner) done() bool   { return s.at >= len(s.text) }
func (s *scanner) rest() string { return s.text[s.at:] }

// next returns the byte here and goes on. It must not be called at the end.
func (s *scanner) next() byte {
	c := s.text[s.at]
	s.at++
	return c
}

func (s *scanner) space() { s.while(isSpace) }

// take goes on behind prefix, where it stands here.
func (s *scanner) take(prefix string) bool {
	if !strings.HasPrefix(s.rest(), prefix) {
		return false
	}
	s.at += len(prefix)
	return true
}

// while returns the bytes from here on that fit.
func (s *scanner) while(fits func(byte) bool) string {
	start := s.at
	for s.at < len(s.text) && fits(s.text[s.at]) {
		s.at++
	}
	return s.text[start:s.at]
}

// upTo returns the bytes before the next one of those in stop.
func (s *scanner) upTo(stop string) string {
	return s.while(func(c byte) bool { return strings.IndexByte(stop, c) < 0 })
}

func isAlphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}
