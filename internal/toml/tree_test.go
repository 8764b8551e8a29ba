package toml_test

import (
	"testing"

	"lamina.build/internal/toml"
)

const layered = `name = "x"
list = [1, 2]
[app]
path = "/app"
[app.env]
A = "1"
B = "2"
[[block]]
of = "file"
[over.app]
path = "/srv"
extra = 1
[over.app.env]
B = "3"
C = "4"
[over]
list = []
name = { no = "string" }
[[over.block]]
of = "variant"
`

// over overlays the file with the table "over".
func over(t *testing.T) (*toml.Document, *toml.Table) {
	t.Helper()
	doc, _ := parse(t, layered)
	bare := doc.Root.Filter(func(key string) bool { return key != "over" })
	return doc, bare.Merge(doc.Root.Get("over").Value.Table)
}

func TestMerge(t *testing.T) {
	doc, merged := over(t)
	laid := *doc
	laid.Root = merged
	equal(t, "overlaid", dump(&laid), []string{
		"18:8 name is [over.name]",
		"18:15 name.no is a string string",
		"17:8 list has 0",
		"10:1 app is [app]",
		"11:8 app.path is a string /srv",
		"13:1 app.env is [app.env]",
		"6:5 app.env.A is a string 1",
		"14:5 app.env.B is a string 3",
		"15:5 app.env.C is a string 4",
		"12:9 app.extra is an integer 1",
		"19:1 block has 1",
		"19:1 block[0] is [[over.block]]",
		"20:6 block[0].of is a string variant",
	})
	if got := doc.Root.Get("app").Value.Table.Get("path").Value.Text; got != "/app" || len(doc.Root.Keys) != 5 {
		t.Errorf("the file was changed: %q", got)
	}
}

// A problem in an overlay has the position and the name where it was written.
func TestProblemsOfMergedTables(t *testing.T) {
	doc, merged := over(t)
	problems := doc.Problems()
	app := problems.Read(merged).Below("app")
	app.Know("path", "env")
	app.End()
	env := app.Below("env")
	env.Know("A")
	env.Text("A", word)
	env.Text("C", word)
	env.End()
	equal(t, "problems", messages(t, problems.Err()), []string{
		`6:5: A: "1" is not a word`,
		`12:1: unknown key "extra" in [over.app]`,
		`14:1: unknown key "B" in [over.app.env]`,
		`15:5: C: "4" is not a word`,
	})
}

func TestFilter(t *testing.T) {
	doc, _ := parse(t, layered)
	part := doc.Root.Filter(func(key string) bool { return key == "name" || key == "app" })
	if len(part.Keys) != 2 || part.Get("name") == nil || part.Get("list") != nil {
		t.Errorf("got %d keys", len(part.Keys))
	}
	var none *toml.Table
	if none.Get("name") != nil {
		t.Error("a nil table has a key")
	}
}
