package cases

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The result of a case that can't run is its error, and the others run anyway.
func TestTable(t *testing.T) {
	directory := t.TempDir()
	if err := os.MkdirAll(filepath.Join(directory, "set", "case"), 0o755); err != nil {
		t.Fatal(err)
	}
	w := &world{ctx: t.Context(), cases: directory, dir: t.TempDir(), progress: io.Discard}
	var out strings.Builder
	err := w.run([]aCase{
		{"set/none", "its right", func(*call) []row { return []row{{seen: "itself", ok: true}} }},
		{"set/case", "its right", func(c *call) []row {
			if err := os.WriteFile(filepath.Join(c.dir, "new"), nil, 0o600); err != nil {
				c.Fatal(err)
			}
			return []row{{what: "one", seen: "it", ok: true}, {what: "two", right: "of its own", seen: "no"}}
		}},
		{"set/case", "its right", func(c *call) []row { c.Fatal("it can't\nat all"); return nil }},
	}, &out)
	var got []string
	for line := range strings.Lines(out.String()) {
		got = append(got, strings.Join(strings.Fields(line), " "))
	}
	want := []string{
		"CASE RIGHT SEEN OK", "set/none its right stat " + filepath.Join(directory, "set/none") + ": no such file or directory NO", "set/case one its right it yes", "set/case two of its own no NO",
		"set/case its right it can't NO",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if err == nil || err.Error() != "3 of 4 are wrong" {
		t.Errorf("got %v", err)
	}
	for _, dir := range []string{w.dir, filepath.Join(directory, "set", "case")} {
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("%v is left, %v", left, err)
		}
	}
}

func TestChoose(t *testing.T) {
	known := []aCase{{name: "security/a"}, {name: "security/b"}, {name: "clients/c"}, {name: "engine/d"}}
	for names, want := range map[string]string{"": "security/a security/b clients/c engine/d", "security": "security/a security/b", "engine clients/c": "engine/d clients/c"} {
		chosen, err := choose(known, strings.Fields(names))
		var got []string
		for _, c := range chosen {
			got = append(got, c.name)
		}
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%q chooses %q, %v", names, got, err)
		}
	}
	if _, err := choose(known, []string{"sec"}); err == nil {
		t.Error("a part of a name is accepted as a set")
	}
	for _, directory := range []string{"", filepath.Join(t.TempDir(), "none")} {
		if err := Main(t.Context(), []string{"-in", directory}, io.Discard, io.Discard); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "-in names") {
			t.Errorf("without the directory: %v", err)
		}
	}
}

func TestOutcome(t *testing.T) {
	for want, o := range map[string]outcome{
		"exit 0": {}, "exit 1": {code: 1}, "exit 2, it is wrong": {code: 2, stderr: "build: fetching\nbuild: error: it is wrong\nbuild: error: more\n"},
	} {
		if got := o.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
