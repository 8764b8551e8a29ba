package world

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Without a distribution that another one needs, no lock is possible. A requirement with
// a marker may not apply here.
func TestClosureIsClosed(t *testing.T) {
	t.Parallel()
	table, err := closure()
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, d := range table {
		if known[d.name+" "+d.version] {
			t.Errorf("%s %s is there twice", d.name, d.version)
		}
		known[d.name], known[d.name+" "+d.version] = true, true
	}
	name := regexp.MustCompile(`^[\w.-]+`)
	for _, d := range table {
		for _, r := range d.requires {
			if project := normal(name.FindString(r)); !strings.Contains(r, ";") && !known[project] {
				t.Errorf("%s needs %s, which is not there", d.name, project)
			}
		}
	}
	for _, l := range libraries() {
		if !known[l.project] || len(l.needed) == 0 {
			t.Errorf("library %s is of %q, which is not there, or needs nothing", l.file, l.project)
		}
	}
	for _, line := range entries(modulesText) {
		if project, _, _ := strings.Cut(line, " "); !known[project] {
			t.Errorf("modules.txt has %q, which is not there", project)
		}
	}
}

func TestNothingIsThereForUpstreamsInferenceAlone(t *testing.T) {
	t.Parallel()
	table, err := closure()
	if err != nil {
		t.Fatal(err)
	}
	pinned := pins(shipped(t))
	for _, name := range NotNeeded() {
		if pinned[name] != nil || slices.ContainsFunc(table, func(d dist) bool { return d.name == name }) {
			t.Errorf("%s is there, which only Wan2.2's own inference needs", name)
		}
	}
	// Its configurations need easydict, and so does insightface, which is there.
	for _, d := range table {
		if needs := slices.Contains(d.requires, "easydict"); needs != (d.name == "insightface") || pinned["easydict"] != nil {
			t.Errorf("%s: easydict is for insightface alone", d.name)
		}
	}
}

func TestLinesThatAreNone(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"torch 2.6.0":                        "want NAME VERSION KIND",
		"torch 2.6.0 py3-none-any":           "want NAME VERSION KIND",
		"torch 2.6.0 odd:":                   `"odd" is no kind`,
		"torch 2.6.0 py3-none-any torchy: a": `"torchy" is neither =MODULE nor megabytes`,
	} {
		if _, err := parseDist(line); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", line, err, want)
		}
	}
}

// shipped returns the texts of the example.
func shipped(t *testing.T) map[string]string {
	t.Helper()
	all, err := texts(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// versions returns the offered versions of a project, with their requirements of torch.
func versions(t *testing.T, texts map[string]string, project string) []string {
	t.Helper()
	table, err := closure()
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, o := range offered(table, pins(texts)) {
		if o.name != project {
			continue
		}
		var text strings.Builder
		text.WriteString(o.version)
		for _, r := range o.requires {
			if strings.HasPrefix(r, "torch") {
				text.WriteString(" " + r)
			}
		}
		list = append(list, text.String())
	}
	return list
}

func TestEditedPinsAreOffered(t *testing.T) {
	t.Parallel()
	edited := shipped(t)
	edited["requirements-cu124.txt"] = strings.NewReplacer("torch==2.6.0", "torch==2.6.9", "torchvision==0.21.0", "torchvision==0.21.9").
		Replace(edited["requirements-cu124.txt"])
	edited["requirements.txt"] += "\nunheard-of[extra]==1.5\nLoguru==0.6.0\n"
	for _, tt := range []struct {
		project       string
		before, after []string
	}{
		{"torch", []string{"2.6.0", "2.8.0"}, []string{"2.6.9", "2.8.0"}},
		{"torchvision", []string{"0.21.0 torch==2.6.0", "0.23.0 torch==2.8.0"}, []string{"0.21.9 torch", "0.23.0 torch==2.8.0"}},
		{"numpy", []string{"1.26.4"}, []string{"1.26.4"}},
		{"sympy", []string{"1.13.1", "1.14.0"}, []string{"1.13.1", "1.14.0"}}, // not pinned
		{"loguru", []string{"0.7.3"}, []string{"0.6.0", "0.7.3"}},
		{"unheard-of", nil, []string{"1.5"}},
	} {
		if got := versions(t, shipped(t), tt.project); !slices.Equal(got, tt.before) {
			t.Errorf("%s: got %q, want %q", tt.project, got, tt.before)
		}
		if got := versions(t, edited, tt.project); !slices.Equal(got, tt.after) {
			t.Errorf("%s, edited: got %q, want %q", tt.project, got, tt.after)
		}
	}
}

// The tables have every version that the example pins, and so its dependencies.
func TestShippedPinsAreInTheTable(t *testing.T) {
	t.Parallel()
	table, err := closure()
	if err != nil {
		t.Fatal(err)
	}
	found := pins(shipped(t))
	if len(found) < 20 {
		t.Errorf("only %d projects are pinned", len(found))
	}
	for name, list := range found {
		for _, version := range list {
			if !slices.ContainsFunc(table, func(d dist) bool { return d.name == name && d.version == version }) {
				t.Errorf("closure.txt has no %s %s", name, version)
			}
		}
	}
}
