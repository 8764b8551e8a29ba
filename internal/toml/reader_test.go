package toml_test

import (
	"strings"
	"testing"

	"lamina.build/internal/toml"
)

// read reads a file with a schema and returns its problems.
func read(t *testing.T, text string, schema func(r *toml.Reader)) []string {
	t.Helper()
	doc, problems := toml.Parse("f.toml", []byte(text))
	doc.Suggest = first
	schema(problems.Read(doc.Root))
	return messages(t, problems.Err())
}

func TestUnknownKeys(t *testing.T) {
	const text = `nome = "x"
zzz = 1
[table]
knwon = 1
inline = { x = 1, known = 2 }
[[block]]
known = 1
odd = 2
[table.below]
known = 3
more.known = 1
`
	got := read(t, text, func(r *toml.Reader) {
		r.Know("name")
		table := r.Below("table")
		table.Know("known")
		below := table.Below("below")
		below.Know("known")
		below.Below("more").End()
		below.End()
		inline := table.Below("inline")
		inline.Know("known")
		inline.End()
		table.End()
		for _, b := range r.Blocks("block") {
			b.Know("known")
			b.End()
		}
		r.Below("none").End()
		r.End()
	})
	equal(t, "problems", got, []string{
		`1:1: unknown key "nome", did you mean "name"?`,
		`2:1: unknown key "zzz"`,
		`4:1: unknown key "knwon" in [table], did you mean "known"?`,
		`5:12: unknown key "x" in [table.inline]`,
		`8:1: unknown key "odd" in [[block]]`,
		`11:6: unknown key "known" in [table.below.more]`,
	})
}

func TestUnknownKeysWithoutSuggestions(t *testing.T) {
	doc, problems := parse(t, "nome = 1\n")
	r := problems.Read(doc.Root)
	r.Know("name")
	r.End()
	equal(t, "problems", messages(t, problems.Err()), []string{`1:1: unknown key "nome"`})
}

func TestText(t *testing.T) {
	const text = "good = \"colour\"\nbad = \"A B\"\nkind = 3\nempty = \"\"\n"
	var values []string
	got := read(t, text, func(r *toml.Reader) {
		for _, key := range []string{"good", "bad", "kind", "empty", "absent"} {
			values = append(values, r.Text(key, word))
		}
		r.Need("good", word)
		r.Need("needed", word)
		r.End()
	})
	equal(t, "values", values, []string{"color", "", "", "", ""})
	equal(t, "problems", got, []string{
		"1:1:  has no needed",
		`2:7: bad: "A B" is not a word`,
		"3:8: kind is an integer, want a string",
		`4:9: empty: "" is not a word`,
	})
}

// Keys are not missing if part of the file can't be read.
func TestMissingKeys(t *testing.T) {
	schema := func(r *toml.Reader) {
		for _, b := range r.Blocks("block") {
			b.Need("name", word)
			b.End()
		}
	}
	equal(t, "whole", read(t, "\n [[block]]\n[[block]]\nname = \"a\"\n", schema), []string{"2:2: [[block]] has no name"})
	equal(t, "broken", read(t, "[[block]]\nname = \n", schema), []string{"2:8: unexpected character U+000A at start of value"})
}

func TestTexts(t *testing.T) {
	const text = `list = ["colour", "b", 3, "B", "color", "b"]
empty = []
kind = "a"
`
	var lists [][]string
	var visited []string
	got := read(t, text, func(r *toml.Reader) {
		note := func(v *toml.Value) { visited = append(visited, v.Text) }
		for _, key := range []string{"list", "empty", "kind", "absent"} {
			lists = append(lists, r.Texts(key, word, note))
		}
		lists = append(lists, r.Some("absent", word, []string{"default"}), r.Some("empty", word, []string{"default"}), r.Some("kind", word, nil))
		r.End()
	})
	equal(t, "lists", lists, [][]string{{"color", "b", "color", "b"}, nil, nil, nil, {"default"}, nil, nil})
	equal(t, "visited", visited, []string{"colour", "b", "color", "b"})
	equal(t, "problems", got, []string{
		"1:24: an entry of list is an integer, want a string",
		`1:27: list: "B" is not a word`,
		`1:32: list: "color" is listed twice`,
		`1:41: list: "b" is listed twice`,
		"2:9: empty is empty",
		"3:8: kind is a string, want a list",
	})
}

func TestScalars(t *testing.T) {
	const text = "on = true\noff = false\nkind = \"true\"\nlist = [1, 0x10, 70_000, -1, 1.5, 99999999999999999999]\n"
	var bools []bool
	var numbers []int
	got := read(t, text, func(r *toml.Reader) {
		for _, key := range []string{"on", "off", "kind", "absent"} {
			bools = append(bools, r.Bool(key))
		}
		r.List("list", func(key string, item *toml.Value) { numbers = append(numbers, r.Integer(key, item, 1, 65535)) })
		r.List("absent", func(string, *toml.Value) { t.Error("it is there") })
		r.End()
	})
	equal(t, "booleans", bools, []bool{true, false, false, false})
	equal(t, "numbers", numbers, []int{1, 16, 0, 0, 0, 0})
	equal(t, "problems", got, []string{
		"3:8: kind is a string, want a boolean",
		"4:18: list[2] is 70_000, want 1 to 65535",
		"4:26: list[3] is -1, want 1 to 65535",
		"4:30: list[4] is a number, want an integer",
		"4:35: list[5] is 99999999999999999999, want 1 to 65535",
	})
}

func TestTablesOfOtherKinds(t *testing.T) {
	const text = "table = 1\nblocks = { x = 1 }\nlist = [{ a = 1 }, 2]\ndate = 2026-01-01\n[one]\n"
	got := read(t, text, func(r *toml.Reader) {
		r.Below("table").End()
		if blocks := r.Blocks("blocks"); blocks != nil {
			t.Errorf("got %d blocks", len(blocks))
		}
		for _, b := range r.Blocks("list") {
			b.Know("a")
			b.End()
		}
		r.Below("date").End()
		r.Blocks("one")
		r.Blocks("none")
		r.End()
	})
	equal(t, "problems", got, []string{
		"1:9: table is an integer, want a table",
		"2:10: blocks is a table, want a list of tables: [[blocks]]",
		"3:20: list[1] is an integer, want a table",
		"4:8: date is a date, want a table",
		"5:1: one is a table, want a list of tables: [[one]]",
	})
}

func TestPairs(t *testing.T) {
	const text = "[names]\ncolour = \"a\"\n\"B c\" = \"b\"\nd = 3\n"
	pairs := map[string]string{}
	got := read(t, text, func(r *toml.Reader) {
		r.Pairs("names", word, func(below *toml.Reader, key, canonical string) { pairs[canonical] = below.Text(key, word) })
		r.Pairs("none", word, func(*toml.Reader, string, string) { t.Error("it is there") })
		r.End()
	})
	equal(t, "pairs", pairs, map[string]string{"color": "a", "d": ""})
	equal(t, "problems", got, []string{`3:1: names: "B c" is not a word`, "4:5: d is an integer, want a string"})
}

func TestWhereKeysStand(t *testing.T) {
	doc, problems := parse(t, "a = 1\n[b]\nc = 2\n")
	r := problems.Read(doc.Root)
	b := r.Below("b")
	for _, tt := range []struct {
		name      string
		got, want int
	}{
		{"value", b.At("c"), 14}, {"absent key", b.At("d"), 6}, {"absent table", r.Below("none").At("x"), 0}, {"absent key of the file", r.At("x"), 0},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, tt.got, tt.want)
		}
	}
	if !r.Has("a") || r.Has("c") || r.Below("none").Has("a") || r.Take("none") != nil || r.Take("a").Text != "1" {
		t.Error("the keys are not those of the file")
	}
}

// A table that is read for each variant has its problems once, in the order of the file.
func TestProblemsAreKeptOnce(t *testing.T) {
	doc, problems := parse(t, "a = 1\nb = 2\n")
	for range 2 {
		problems.Add(6, "later")
		problems.Add(0, "x %d", 2)
		problems.Add(0, "x %d", 1)
	}
	equal(t, "problems", messages(t, problems.Err()), []string{"1:1: x 1", "1:1: x 2", "2:1: later"})
	if err := doc.Problems().Err(); err != nil {
		t.Errorf("a new list has %v", err)
	}
	if at := doc.Problem(1000, "x"); at.Line != 3 || at.Column != 1 {
		t.Errorf("past the end: %v", at)
	}
	if got := (&toml.Error{File: "a/b.toml", Line: 3, Column: 7, Message: "odd"}).Error(); got != "a/b.toml:3:7: odd" {
		t.Errorf("got %s", got)
	}
}

func TestKindsHaveNames(t *testing.T) {
	var names []string
	for k := toml.Date; k <= toml.Map; k++ {
		names = append(names, k.String())
	}
	equal(t, "names", strings.Join(names, ", "), "a date, a string, an integer, a number, a boolean, a list, a table")
}
