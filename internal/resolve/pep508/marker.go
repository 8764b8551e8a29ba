package pep508

import (
	"regexp"
	"slices"
	"strings"
)

// Verdict is whether a condition holds.
type Verdict int

// The verdicts. What a marker tests may be unknown before the installation.
const (
	No Verdict = iota
	Unknown
	Yes
)

// Environment has the values that markers test of an interpreter and its machine, by their
// names in PEP 508, such as "python_version". A missing value is unknown.
type Environment map[string]string

// Linux returns the environment of CPython on Linux, of a version such as "3.11.2" and a
// machine such as "x86_64".
func Linux(python, machine string) Environment {
	e := Environment{
		"os_name": "posix", "sys_platform": "linux", "platform_system": "Linux", "platform_machine": machine,
		"platform_python_implementation": "CPython", "implementation_name": "cpython", "extra": "",
	}
	if parts := strings.SplitN(python, ".", 3); len(parts) > 1 {
		e["python_version"] = parts[0] + "." + parts[1]
		if len(parts) > 2 {
			e["python_full_version"], e["implementation_version"] = python, python
		}
	}
	return e
}

var (
	token = regexp.MustCompile(`^\s*(?:([()])|("[^"]*"|'[^']*')|(===|[=!~<>]=|[<>])|([A-Za-z_][\w.]*))`)
	// Names from before PEP 508, which pip and uv still read.
	oldNames = map[string]string{
		"os.name": "os_name", "sys.platform": "sys_platform", "platform.machine": "platform_machine", "platform.version": "platform_version",
		"platform.python_implementation": "platform_python_implementation", "python_implementation": "platform_python_implementation",
	}
)

// Holds evaluates a marker; "" always holds. A malformed one is [Unknown].
func (e Environment) Holds(marker string) Verdict {
	if strings.TrimSpace(marker) == "" {
		return Yes
	}
	m := &markerReader{env: e}
	for rest := marker; strings.TrimSpace(rest) != ""; {
		found := token.FindString(rest)
		if found == "" {
			return Unknown
		}
		m.tokens = append(m.tokens, strings.TrimSpace(found))
		rest = rest[len(found):]
	}
	v := m.either()
	if m.broken || len(m.tokens) > 0 {
		return Unknown
	}
	return v
}

// markerReader reads the tokens of a marker.
type markerReader struct {
	env    Environment
	tokens []string
	broken bool
}

// next consumes a token if it is one of words, or any if there are none.
func (m *markerReader) next(words ...string) (string, bool) {
	if len(m.tokens) == 0 {
		return "", false
	}
	word := m.tokens[0]
	if len(words) > 0 && !slices.Contains(words, word) {
		return word, false
	}
	m.tokens = m.tokens[1:]
	return word, true
}

func (m *markerReader) either() Verdict {
	v := m.both()
	for {
		if _, ok := m.next("or"); !ok {
			return v
		}
		v = max(v, m.both())
	}
}

func (m *markerReader) both() Verdict {
	v := m.one()
	for {
		if _, ok := m.next("and"); !ok {
			return v
		}
		v = min(v, m.one())
	}
}

func (m *markerReader) one() Verdict {
	if _, ok := m.next("("); ok {
		v := m.either()
		_, closed := m.next(")")
		m.broken = m.broken || !closed
		return v
	}
	left, _ := m.next()
	operator, _ := m.next()
	if operator == "not" {
		_, in := m.next("in")
		m.broken = m.broken || !in
	}
	right, ok := m.next()
	if !ok {
		m.broken = true
		return Unknown
	}
	a, knownA := m.value(left)
	b, knownB := m.value(right)
	if !knownA || !knownB {
		return Unknown
	}
	return judge(a, operator, b, strings.Contains(left+right, "_version"))
}

// value returns the value of a variable or a quoted string.
func (m *markerReader) value(word string) (string, bool) {
	if word != "" && strings.ContainsRune(`"'`, rune(word[0])) {
		return word[1 : len(word)-1], true
	}
	if name, old := oldNames[word]; old {
		word = name
	}
	v, ok := m.env[word]
	return v, ok
}

func judge(a, operator, b string, ofVersions bool) Verdict {
	holds := false
	switch {
	case operator == "in":
		holds = strings.Contains(b, a)
	case operator == "not":
		holds = !strings.Contains(b, a)
	case ofVersions && !isVersion(strings.TrimSuffix(b, ".*")):
		return Unknown
	case ofVersions:
		holds = Admits(operator+b, a)
	case operator == "==":
		holds = a == b
	case operator == "!=":
		holds = a != b
	default:
		return Unknown
	}
	if holds {
		return Yes
	}
	return No
}
