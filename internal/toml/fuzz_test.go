package toml_test

import (
	"regexp"
	"strings"
	"testing"

	"lamina.build/internal/toml"
)

func seeds(f *testing.F) {
	f.Helper()
	for _, text := range []string{
		layered, "", "a = 1", "[a]\n[a]\n[[a]]", "a.b = 1\na.b.c = 2", "a = [[[", "a = {b = [{c = [1]}]}", "\uFEFF", "a = \"\\u00e9\" x",
		"[\n[b]\n", "a = [ # ]\n [1], ]", "[[a.b]]\n[a.b.c]\nd = 1", "a=[\r\n'''x\n'''", "a = 1 # x\r\n[b]\rc", "a = ", "[[a]]\n[a]", "\"\" = 1\n[\"\".x]",
		"a = {\n b = 1, # c\n}\n", "[a]\nb = 1\n[a.b]\n[[a.b]]\n", "a = [1, {}]\n[[a]]\n",
	} {
		f.Add([]byte(text))
	}
}

// Every problem has a position in the file, and its message is one line.
func FuzzProblemsHavePlaces(f *testing.F) {
	seeds(f)
	place := regexp.MustCompile(`^[1-9][0-9]*:[1-9][0-9]*: .`)
	f.Fuzz(func(t *testing.T, data []byte) {
		doc, problems := toml.Parse("f.toml", data)
		problems.Read(doc.Root).End()
		lines := strings.Split(strings.TrimPrefix(string(data), "\uFEFF"), "\n")
		for _, one := range messages(t, problems.Err()) {
			if !place.MatchString(one) || strings.ContainsAny(one, "\n\r\x00") {
				t.Errorf("message %q", one)
			}
		}
		for _, one := range dump(doc) {
			if line, _, _ := strings.Cut(one, ":"); len(line) > len("1000000") {
				t.Errorf("%q is not in the file of %d lines", one, len(lines))
			}
		}
	})
}

// A key has the position where it is written, and merging with nothing changes nothing.
func FuzzKeysStandWhereTheyAre(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		doc, _ := toml.Parse("f.toml", data)
		text := strings.TrimPrefix(string(data), "\uFEFF")
		var walk func(table *toml.Table)
		walk = func(table *toml.Table) {
			for _, e := range table.Keys {
				if at := text[e.Offset:]; !strings.HasPrefix(at, e.Key) && !strings.HasPrefix(at, `"`) && !strings.HasPrefix(at, `'`) {
					t.Errorf("%q is not at %q", e.Key, at)
				}
				if e.Value.Kind == toml.Map {
					walk(e.Value.Table)
				}
				if e.Value.Kind == toml.List && text[e.Value.Offset] != '[' {
					t.Errorf("the list of %q begins with %q", e.Key, text[e.Value.Offset:])
				}
			}
		}
		walk(doc.Root)
		before := dump(doc)
		doc.Root = doc.Root.Merge(doc.Root.Filter(func(string) bool { return false }))
		equal(t, "merged with nothing", dump(doc), before)
	})
}
