package toml_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lamina.build/internal/toml"
)

// dump lists everything in a tree, one line for each value with its position.
func dump(doc *toml.Document) []string {
	var lines []string
	var table func(t *toml.Table, path string)
	var value func(v *toml.Value, path string)
	at := func(offset int) string {
		e := doc.Problem(offset, "")
		return fmt.Sprintf("%d:%d", e.Line, e.Column)
	}
	value = func(v *toml.Value, path string) {
		switch v.Kind {
		case toml.Map:
			lines = append(lines, fmt.Sprintf("%s %s is %s", at(v.Offset), path, v.Table.Where))
			table(v.Table, path)
		case toml.List:
			lines = append(lines, fmt.Sprintf("%s %s has %d", at(v.Offset), path, len(v.Items)))
			for i, item := range v.Items {
				value(item, fmt.Sprintf("%s[%d]", path, i))
			}
		default:
			lines = append(lines, fmt.Sprintf("%s %s is %s %s", at(v.Offset), path, v.Kind, v.Text))
		}
	}
	table = func(t *toml.Table, path string) {
		for _, e := range t.Keys {
			value(e.Value, strings.TrimPrefix(path+"."+e.Key, "."))
		}
	}
	table(doc.Root, "")
	return lines
}

func parse(t testing.TB, text string) (*toml.Document, *toml.Problems) {
	t.Helper()
	doc, problems := toml.Parse("f.toml", []byte(text))
	if err := problems.Err(); err != nil {
		t.Fatalf("parsing:\n%s\n%v", text, err)
	}
	return doc, problems
}

// messages returns the problems of an error, each of which must have a position.
func messages(t testing.TB, err error) []string {
	t.Helper()
	if err == nil {
		return nil
	}
	var joined interface{ Unwrap() []error }
	if !errors.As(err, &joined) {
		t.Fatalf("not a list of problems: %v", err)
	}
	var list []string
	for _, one := range joined.Unwrap() {
		at, ok := errors.AsType[*toml.Error](one)
		if !ok || at.File != "f.toml" || at.Line < 1 || at.Column < 1 {
			t.Errorf("no place in %v", one)
			continue
		}
		list = append(list, strings.TrimPrefix(at.Error(), "f.toml:"))
	}
	return list
}

func equal(t testing.TB, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// word accepts only lower-case words, and replaces one spelling by another.
func word(s string) (string, error) {
	if s == "" || strings.ContainsFunc(s, func(c rune) bool { return c < 'a' || c > 'z' }) {
		return "", fmt.Errorf("%q is not a word", s)
	}
	return strings.ReplaceAll(s, "colour", "color"), nil
}

// first suggests a known word with the same first letter.
func first(unknown string, known []string) string {
	i := slices.IndexFunc(known, func(k string) bool { return k[:1] == unknown[:1] })
	if i < 0 {
		return ""
	}
	return fmt.Sprintf(", did you mean %q?", known[i])
}
