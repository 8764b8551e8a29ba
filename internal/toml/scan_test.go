package toml_test

import (
	"slices"
	"strings"
	"testing"

	"lamina.build/internal/toml"
)

func TestTreeOfEveryKind(t *testing.T) {
	const text = "\uFEFFa = \"x\\ty\" # c\n" +
		"b = 'l' \n" +
		"c = 0x1F\n" +
		"d = -1.5\n" +
		"e = inf\n" +
		"f = true\n" +
		"g = 2026-01-02T03:04:05Z\n" +
		"h = 03:04:05\n" +
		"\"i j\" = \"\"\"\nm\nn\"\"\"\n" +
		"k = 1979-05-27\n" +
		"n = nan\n"
	doc, _ := parse(t, text)
	equal(t, "tree", dump(doc), []string{
		"1:5 a is a string x\ty",
		"2:5 b is a string l",
		"3:5 c is an integer 0x1F",
		"4:5 d is a number -1.5",
		"5:5 e is a number inf",
		"6:5 f is a boolean true",
		"7:5 g is a date 2026-01-02T03:04:05Z",
		"8:5 h is a date 03:04:05",
		"9:9 i j is a string m\nn",
		"12:5 k is a date 1979-05-27",
		"13:5 n is a number nan",
	})
	if !doc.Whole {
		t.Error("something was skipped")
	}
}

func TestPlacesOfLists(t *testing.T) {
	const text = `a = []
b = [ [], # ]
  [1, [2]], # [
  { c = [ "]" ] }, ]
d = [
  # only a comment, with [
]
e={f=[[ ]]}
  g  =  [ 1 ]
h = ["ü", [3]]
`
	doc, _ := parse(t, text)
	equal(t, "tree", dump(doc), []string{
		"1:5 a has 0",
		"2:5 b has 3",
		"2:7 b[0] has 0",
		"3:3 b[1] has 2",
		"3:4 b[1][0] is an integer 1",
		"3:7 b[1][1] has 1",
		"3:8 b[1][1][0] is an integer 2",
		"4:3 b[2] is [b]",
		"4:9 b[2].c has 1",
		"4:11 b[2].c[0] is a string ]",
		"5:5 d has 0",
		"8:3 e is [e]",
		"8:6 e.f has 1",
		"8:7 e.f[0] has 0",
		"9:9 g has 1",
		"9:11 g[0] is an integer 1",
		"10:5 h has 2",
		"10:6 h[0] is a string ü",
		"10:11 h[1] has 1",
		"10:12 h[1][0] is an integer 3",
	})
}

func TestPlacesOfTables(t *testing.T) {
	const text = `x.y.z = 1
x.y.w = 2
[a.b] # one
c = 3
[a]
d.e = 4
  [[ f ]]
g = 5
[f.h]
i = 6
[[f]]
g = { j.k = 7, l = {} }
[ "o p" . q ]
r = 8
`
	doc, _ := parse(t, text)
	equal(t, "tree", dump(doc), []string{
		"1:1 x is [x]",
		"1:3 x.y is [x.y]",
		"1:9 x.y.z is an integer 1",
		"2:9 x.y.w is an integer 2",
		"3:2 a is [a]",
		"3:1 a.b is [a.b]",
		"4:5 a.b.c is an integer 3",
		"6:1 a.d is [a.d]",
		"6:7 a.d.e is an integer 4",
		"7:3 f has 2",
		"7:3 f[0] is [[f]]",
		"8:5 f[0].g is an integer 5",
		"9:1 f[0].h is [f.h]",
		"10:5 f[0].h.i is an integer 6",
		"11:1 f[1] is [[f]]",
		"12:5 f[1].g is [f.g]",
		"12:7 f[1].g.j is [f.g.j]",
		"12:13 f[1].g.j.k is an integer 7",
		"12:20 f[1].g.l is [f.g.l]",
		"13:3 o p is [o p]",
		"13:1 o p.q is [o p.q]",
		"14:5 o p.q.r is an integer 8",
	})
	if a := doc.Root.Get("a").Value.Table; doc.Line(a.Offset) != 5 {
		t.Errorf("[a] is in line %d", doc.Line(a.Offset))
	}
}

// A syntax error ends its statement, and a duplicate is reported with the line of the
// first.
func TestProblemsOfSyntax(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       []string
		tree       []string
	}{
		{
			"broken value", "a = yes\nb = 1\n",
			[]string{"1:5: unexpected character U+0079 'y' at start of value"},
			[]string{"2:5 b is an integer 1"},
		},
		{
			"broken header and what is below it", "[a\nb = 1\n[c]\nd = 2\n",
			[]string{"1:3: expected ']' to close table name"},
			[]string{"3:1 c is [c]", "4:5 c.d is an integer 2"},
		},
		{
			"broken header in a list of tables", "[[a]]\nb = 1\n[[a]\nb = 2\n[[a]]\nb = 3\n",
			[]string{"3:4: expected ']]' to close array table name"},
			[]string{"1:1 a has 2", "1:1 a[0] is [[a]]", "2:5 a[0].b is an integer 1", "5:1 a[1] is [[a]]", "6:5 a[1].b is an integer 3"},
		},
		{
			"list that is not closed", "a = [1,\n  2\n[b]\nc = 3\n",
			[]string{"3:1: expected ',' or ']' after array value"},
			[]string{"3:1 b is [b]", "4:5 b.c is an integer 3"},
		},
		{
			"two broken statements", "a = 1.0.0\nb = \"open\nc = 3\n",
			[]string{"1:8: expected newline but got U+002E '.'", "2:10: basic strings cannot have new lines"},
			[]string{"3:5 c is an integer 3"},
		},
		{
			"string that never ends", "a = 1\nb = \"\"\"abc\n[c]\n",
			[]string{`3:4: multiline basic string not terminated by """`},
			[]string{"1:5 a is an integer 1", "3:1 c is [c]"},
		},
		{"control character", "a = \"a\ab\"\n", []string{"1:7: basic strings cannot have control characters"}, nil},
		{"carriage return", "a = \"a\"\rb = 1\n", []string{"1:8: expected newline but got U+000D"}, nil},
		{"column counts characters", "a = \"héllo wörld\" x\n", []string{"1:19: expected newline but got U+0078 'x'"}, nil},
		{"no text", "\xff\xfe", []string{"1:1: invalid character at start of key: U+00FF 'ÿ'"}, nil},
		{"nothing after =", "a =", []string{"1:3: expected value, not end of input"}, nil},
		{
			"key twice", "a = 1\n\na = 2\n",
			[]string{"3:1: a is written twice, first in line 1"},
			[]string{"1:5 a is an integer 1"},
		},
		{
			"table twice", "[a]\nb = 1\n[c]\n[a]\nd = 2\n",
			[]string{"4:1: [a] is written twice, first in line 1"},
			[]string{"1:1 a is [a]", "2:5 a.b is an integer 1", "5:5 a.d is an integer 2", "3:1 c is [c]"},
		},
		{
			"table that is a value", "a = 3\n[a]\nb = 1\n[a.c]\n",
			[]string{"2:1: [a] is written twice, first in line 1", "4:2: a is already set in line 1"},
			[]string{"1:5 a is an integer 3"},
		},
		{
			"list that is a table", "[a]\nb = 1\n[[a]]\nb = 2\n",
			[]string{"3:1: [[a]] can't extend what line 1 sets"},
			[]string{"1:1 a is [a]", "2:5 a.b is an integer 1"},
		},
		{
			"list of tables that is a list", "a = [{}]\n[[a]]\nb = 2\n",
			[]string{"2:1: [[a]] can't extend what line 1 sets"},
			[]string{"1:5 a has 1", "1:6 a[0] is [a]"},
		},
		{
			"table in an inline table", "a = { b = 1 }\n[a.c]\nd = 2\n",
			[]string{"2:2: a is already set in line 1"},
			[]string{"1:5 a is [a]", "1:11 a.b is an integer 1"},
		},
		{
			"dotted key into a table", "[a.b]\nc = 1\n[a]\nb.d = 2\n",
			[]string{"4:1: b is already set in line 1"},
			[]string{"1:2 a is [a]", "1:1 a.b is [a.b]", "2:5 a.b.c is an integer 1"},
		},
		{
			"dotted key into a value", "a.b = 1\na.b.c = 2\n",
			[]string{"2:3: a.b is already set in line 1"},
			[]string{"1:1 a is [a]", "1:7 a.b is an integer 1"},
		},
		{
			"key twice inline", "a = { b = 1, b = 2 }\n",
			[]string{"1:14: b is written twice, first in line 1"},
			[]string{"1:5 a is [a]", "1:11 a.b is an integer 1"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			doc, problems := toml.Parse("f.toml", []byte(tt.text))
			equal(t, "problems", messages(t, problems.Err()), tt.want)
			equal(t, "tree", dump(doc), tt.tree)
			whole := !slices.ContainsFunc(tt.want, func(s string) bool {
				return !strings.Contains(s, " line ")
			})
			if doc.Whole != whole {
				t.Errorf("whole: %v, want %v", doc.Whole, whole)
			}
		})
	}
}

// Neither the stack nor the names of tables grow with the nesting.
func TestDepth(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"lists", "a = " + strings.Repeat("[", 33) + strings.Repeat("]", 33), "1:37: more than 32 nested lists and tables"},
		{"inline tables", "a = " + strings.Repeat("{a=", 5000) + "1" + strings.Repeat("}", 5000), "1:101: more than 32 nested lists and tables"},
		{"keys", strings.Repeat("a.", 5000) + "a = 1", "1:1: more than 32 nested tables"},
		{"header", "[" + strings.Repeat("a.", 5000) + "a]", "1:2: more than 32 nested tables"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, problems := toml.Parse("f.toml", []byte(tt.text))
			if got := messages(t, problems.Err()); !slices.Contains(got, tt.want) {
				t.Errorf("got %.5q, want %s among it", got, tt.want)
			}
		})
	}
	if _, problems := toml.Parse("f.toml", []byte("a = "+strings.Repeat("[", 32)+strings.Repeat("]", 32))); problems.Err() != nil {
		t.Errorf("at the maximum depth: %v", problems.Err())
	}
}

// The data is copied, so the caller may change it.
func TestDataIsCopied(t *testing.T) {
	data := []byte("a = \"before\"\n")[:12]
	doc, problems := toml.Parse("f.toml", data)
	copy(data, "b = \"later!\"")
	equal(t, "tree", dump(doc), []string{"1:5 a is a string before"})
	problems.Add(4, "odd")
	equal(t, "problems", messages(t, problems.Err()), []string{"1:5: odd"})
}
