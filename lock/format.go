package lock

import (
	"fmt"
	"iter"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
)

const header = "# Written by \"build lock\": change image.toml and lock again instead of editing this.\n"

// Format returns l as the canonical text of an image.lock: TOML, sorted, one line for
// each entry, so that a diff of two locks reads like a list of changes. It begins with a
// digest of the rest; [Parse] rejects a text with a wrong digest.
func (l Lock) Format() []byte {
	body := l.body()
	return fmt.Appendf(nil, "%s%s\n%s", header, digestLine([]byte(body)), body)
}

func digestLine(body []byte) string { return fmt.Sprintf("digest   = %q", digest.FromBytes(body)) }

// text maps the fields of a lock to its text, for reading and writing.
type text struct {
	Digest   string   `toml:"digest"`
	Version  int      `toml:"version"`
	Platform *string  `toml:"platform"`
	Debian   debian   `toml:"debian"`
	Python   python   `toml:"python"`
	Models   *[]Model `toml:"model"`
	Further  *[]Part  `toml:"further"`
}

type debian struct {
	Suites       *[]string     `toml:"suites"`
	Components   *[]string     `toml:"components"`
	Repositories *[]Repository `toml:"repositories"`
	Requests     *[]Request    `toml:"requests"`
	Releases     *[]Release    `toml:"releases"`
	Indexes      *[]Index      `toml:"indexes"`
	Packages     *[]Package    `toml:"packages"`
	Provided     *[]Provision  `toml:"provided"`
}

type python struct {
	UV            *UV              `toml:"uv"`
	Requests      *[]PythonRequest `toml:"requests"`
	Omitted       *[]Omission      `toml:"omitted"`
	Pages         *[]Page          `toml:"pages"`
	Distributions *[]Distribution  `toml:"distributions"`
}

func (l *Lock) text() text {
	return text{
		Platform: &l.Platform,
		Debian:   debian{&l.Suites, &l.Components, &l.Repositories, &l.Requests, &l.Releases, &l.Indexes, &l.Packages, &l.Provided},
		Python:   python{&l.UV, &l.Python, &l.Omitted, &l.Pages, &l.Distributions},
		Models:   &l.Models,
		Further:  &l.Further,
	}
}

func (l Lock) body() string {
	t := l.text()
	var b strings.Builder
	fmt.Fprintf(&b, "version  = %d\nplatform = %s\n", Version, quote(l.Platform))
	b.WriteString("\n[debian]\n" + table(t.Debian))
	if len(l.Python) > 0 {
		b.WriteString("\n[python]\n" + table(t.Python))
	}
	for _, m := range l.Models {
		b.WriteString("\n[[model]]\n" + table(m))
	}
	for _, p := range l.Further {
		b.WriteString("\n[[further]]\n" + table(p))
	}
	return b.String()
}

// table formats the fields of a struct: values with aligned signs, and lists of entries,
// one on each line. It leaves out empty lists of entries and empty inline tables.
func table(of any) string {
	var b strings.Builder
	width := 0
	for key, v := range fields(reflect.ValueOf(of)) {
		if !isEntries(v) {
			width = max(width, len(key))
		}
	}
	for key, v := range fields(reflect.ValueOf(of)) {
		switch {
		case isEntries(v) && v.Len() > 0:
			fmt.Fprintf(&b, "%s = [\n", key)
			for i := range v.Len() {
				fmt.Fprintf(&b, "  %s,\n", value(v.Index(i)))
			}
			b.WriteString("]\n")
		case !isEntries(v) && (v.Kind() != reflect.Struct || !v.IsZero()):
			fmt.Fprintf(&b, "%-*s = %s\n", width, key, value(v))
		}
	}
	return b.String()
}

// fields iterates over the fields of a struct and of its embedded structs, by the names
// in their tags.
func fields(v reflect.Value) iter.Seq2[string, reflect.Value] {
	return func(yield func(string, reflect.Value) bool) {
		for _, f := range reflect.VisibleFields(v.Type()) {
			if !f.Anonymous && !yield(f.Tag.Get("toml"), reflect.Indirect(v.FieldByIndex(f.Index))) {
				return
			}
		}
	}
}

func isEntries(v reflect.Value) bool {
	return v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Struct && v.Type() != reflect.TypeFor[[]Set]()
}

// value formats v as TOML.
func value(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case string:
		return quote(x)
	case []string:
		return quotes(x)
	case map[string]string:
		return pairs(x)
	case int, int64:
		return fmt.Sprint(x)
	case time.Time:
		return x.UTC().Format(time.RFC3339)
	case digest.Digest:
		return quote(x.String())
	case Set:
		return quote(x.String())
	case []Set:
		return quotes(each(x, Set.String))
	}
	var list []string
	for key, field := range fields(v) {
		list = append(list, key+" = "+value(field))
	}
	return "{ " + strings.Join(list, ", ") + " }"
}

// pairs formats a map as an inline table of TOML, sorted by key.
func pairs(m map[string]string) string {
	if len(m) == 0 {
		return "{}"
	}
	list := make([]string, 0, len(m))
	for _, key := range slices.Sorted(maps.Keys(m)) {
		list = append(list, quote(key)+" = "+quote(m[key]))
	}
	return "{ " + strings.Join(list, ", ") + " }"
}

func quotes(list []string) string {
	return "[" + strings.Join(each(list, quote), ", ") + "]"
}

func each[A, B any](list []A, convert func(A) B) []B {
	if list == nil {
		return nil
	}
	out := make([]B, len(list))
	for i, a := range list {
		out[i] = convert(a)
	}
	return out
}

// quote formats a TOML basic string. TOML has \uXXXX and \UXXXXXXXX but none of Go's
// other numeric escapes.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case strconv.IsPrint(r):
			b.WriteRune(r)
		case r > 0xffff:
			fmt.Fprintf(&b, `\U%08X`, r)
		default:
			fmt.Fprintf(&b, `\u%04X`, r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
