package requirements

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// deepest bounds the parentheses inside each other.
const deepest = 64

// marker reads the condition of a requirement, the grammar of
// https://packaging.python.org/en/latest/specifications/dependency-specifiers/#environment-markers
// (PEP 508), into its canonical form, which is "" for none.
func marker(text string) (string, error) {
	s := &scanner{text: text}
	if s.space(); s.done() {
		return "", nil
	}
	canonical, err := s.conditions(0)
	if err == nil && !s.done() {
		err = fmt.Errorf("want \"and\" or \"or\" before %s", quote(s.rest()))
	}
	return canonical, err
}

// conditions reads comparisons with and and or between them.
func (s *scanner) conditions(depth int) (string, error) {
	if depth > deepest {
		return "", errors.New("its parentheses are too deep")
	}
	var list []string
	for {
		one, err := s.condition(depth)
		if err != nil {
			return "", err
		}
		list = append(list, one)
		s.space()
		junction := s.keyword("and", "or")
		if junction == "" {
			return strings.Join(list, " "), nil
		}
		list = append(list, junction)
	}
}

// condition reads one comparison, or several in parentheses.
func (s *scanner) condition(depth int) (string, error) {
	s.space()
	if !s.take("(") {
		return s.comparison()
	}
	inner, err := s.conditions(depth + 1)
	if err != nil {
		return "", err
	}
	if !s.take(")") {
		return "", errors.New("a ( is not closed")
	}
	return "(" + inner + ")", nil
}

func (s *scanner) comparison() (string, error) {
	left, err := s.operand()
	if err != nil {
		return "", err
	}
	operator, err := s.comparator()
	if err != nil {
		return "", err
	}
	right, err := s.operand()
	if err != nil {
		return "", err
	}
	return left + " " + operator + " " + right, nil
}

// comparator reads an operator of versions, in or not in.
func (s *scanner) comparator() (string, error) {
	s.space()
	switch s.keyword("in", "not") {
	case "in":
		return "in", nil
	case "not":
		if s.space(); s.keyword("in") == "" {
			return "", errors.New(`want "in" behind "not"`)
		}
		return "not in", nil
	}
	return s.operator()
}

// operand reads a quoted text or a variable.
func (s *scanner) operand() (string, error) {
	s.space()
	for _, quote := range []string{`"`, `'`} {
		if s.take(quote) {
			return s.literal(quote)
		}
	}
	start := s.at
	name := s.while(func(c byte) bool { return isAlphanumeric(c) || c == '_' || c == '.' })
	if name == "" {
		return "", fmt.Errorf("want a variable or a quoted text before %s", quote(s.text[start:]))
	}
	return markerVariable(name)
}

// literal writes a text in double quotes, unless it holds some.
func (s *scanner) literal(mark string) (string, error) {
	text := s.upTo(mark)
	switch {
	case !s.take(mark):
		return "", errOpenQuote
	case strings.Contains(text, `\`):
		return "", fmt.Errorf("%s holds a backslash", quote(text))
	case !strings.Contains(text, `"`):
		mark = `"`
	}
	return mark + text + mark, nil
}

// markerVariable checks a variable and replaces its old name, as pip does.
func markerVariable(name string) (string, error) {
	known := []string{
		"python_version", "python_full_version", "os_name", "sys_platform", "platform_release", "platform_system",
		"platform_version", "platform_machine", "platform_python_implementation", "implementation_name",
		"implementation_version", "extra",
	}
	switch name {
	case "os.name", "sys.platform", "platform.version", "platform.machine", "platform.python_implementation":
		return strings.Replace(name, ".", "_", 1), nil
	case "python_implementation":
		return "platform_python_implementation", nil
	}
	if !slices.Contains(known, name) {
		return "", fmt.Errorf("unknown variable %s%s", quote(name), didYouMean(name, known))
	}
	return name, nil
}

// keyword reads one of the words, where it is a word by itself.
func (s *scanner) keyword(words ...string) string {
	for _, word := range words {
		rest, ok := strings.CutPrefix(s.rest(), word)
		if ok && (rest == "" || !isAlphanumeric(rest[0]) && rest[0] != '_') {
			s.at += len(word)
			return word
		}
	}
	return ""
}
