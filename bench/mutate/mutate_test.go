package mutate_test

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lamina.build/bench/mutate"
)

var update = flag.Bool("update", false, "rewrite testdata/mutants.txt")

// module makes a small module to change: two packages, one of which imports the other.
func module(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/module")); err != nil {
		t.Fatal(err)
	}
	return dir
}

func run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out strings.Builder
	err := mutate.Main(t.Context(), args, &out)
	return out.String(), err
}

func TestMutants(t *testing.T) {
	golden, err := filepath.Abs("testdata/mutants.txt")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(module(t))
	got, err := run(t, "-list", "-n", "1000", "calc")
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err = os.WriteFile(golden, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The functions in the list of mutants that make no difference still exist, by these names.
func TestEquivalentsExist(t *testing.T) {
	list, err := os.ReadFile("../mutants.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range regexp.MustCompile(`(?m)^([\w/-]+)\.(?:(\w+)\.)?(\w+)/\w+/\d+ `).FindAllStringSubmatch(string(list), -1) {
		receiver := ""
		if id[2] != "" {
			receiver = `\(\w+ \*?` + id[2] + `\) `
		}
		files, err := filepath.Glob("../../" + id[1] + "/*.go")
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(files, func(name string) bool {
			text, err := os.ReadFile(name)
			return err == nil && regexp.MustCompile(`(?m)^func `+receiver+id[3]+`\(`).Match(text)
		}) {
			t.Errorf("%snames no function", id[0])
		}
	}
}

// A new function replaces mutants of the sample only if its hashes sort first.
func TestTheSampleStays(t *testing.T) {
	t.Chdir(module(t))
	before, err := run(t, "-list", "-n", "10", "calc")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("calc/calc.go")
	if err != nil {
		t.Fatal(err)
	}
	moved := strings.Replace(string(source), "// Sum adds", "// Further is new.\nfunc Further(n int) bool { return n > 1 }\n\n// Sum adds", 1)
	if err = os.WriteFile("calc/calc.go", []byte(moved), 0o600); err != nil {
		t.Fatal(err)
	}
	after, err := run(t, "-list", "-n", "10", "calc")
	if err != nil {
		t.Fatal(err)
	}
	var gone int
	for id := range strings.Lines(before) {
		if strings.HasPrefix(id, "calc.") && !strings.Contains(after, id) {
			gone++
		}
	}
	if further := strings.Count(after, "calc.Further/"); gone != further {
		t.Errorf("%d are gone for %d new ones:\n%s", gone, further, after)
	}
}

func TestTheJournalGoesOn(t *testing.T) {
	if testing.Short() {
		t.Skip("it compiles some forty tests")
	}
	t.Chdir(module(t))
	all := []string{"-n", "12", "-o", "results/mutants.jsonl", "-equivalent", "mutants.txt", "-least", "0", "calc"}
	first, err := run(t, all...)
	if err != nil {
		t.Fatalf("%v\n%s", err, first)
	}
	tried, result, _ := strings.Cut(first, "\npackage")
	if n := strings.Count(tried, "\n"); n != 12 {
		t.Errorf("%d were tried:\n%s", n, tried)
	}
	again, err := run(t, all...)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("\npackage"+result, again); diff != "" {
		t.Errorf("the second run's output isn't the end of the first one's (-want +got):\n%s", diff)
	}
	_, name, found := strings.Cut(again, "survived: ")
	name, _, _ = strings.Cut(name, "\n")
	if !found {
		t.Fatalf("none survived:\n%s", first)
	}
	if err := os.WriteFile("mutants.txt", []byte("# a comment\n"+name+"  it makes no difference\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if listed, err := run(t, all...); err != nil || strings.Contains(listed, "survived: "+name) {
		t.Errorf("%v, and one that makes no difference is listed:\n%s", err, listed)
	}
	if _, err := run(t, append([]string{"-least", "100"}, all[:6]...)...); err == nil {
		t.Error("no error although some survived")
	}
}

// One program has the mutants of functions of all shapes; mutants elsewhere are compiled separately.
func TestMutantsOfAllShapes(t *testing.T) {
	if testing.Short() {
		t.Skip("it compiles some tests")
	}
	t.Chdir(module(t))
	out, err := run(t, "-own", "-n", "100", "-least", "100", "shapes")
	if n := strings.Count(out, "killed "); err != nil || n < 12 {
		t.Errorf("%v: %d are killed:\n%s", err, n, out)
	}
}

func TestImportersKill(t *testing.T) {
	if testing.Short() {
		t.Skip("it compiles four tests")
	}
	t.Chdir(module(t))
	out, err := run(t, "-id", "calc.Double/arithmetic/1", "calc")
	if err != nil || !strings.HasSuffix(out, "killed calc.Double/arithmetic/1 example.test/sums/user\n") {
		t.Errorf("%v, got\n%s", err, out)
	}
	if _, err := run(t, "-id", "calc.Double/nothing/1", "calc"); err == nil {
		t.Error("no error for an unknown name")
	}
}

// For each deleted statement, the output names the test that fails, or none.
func TestDeletedLines(t *testing.T) {
	if testing.Short() {
		t.Skip("it compiles some ten tests")
	}
	t.Chdir(module(t))
	sum := []string{"-lines", "100", "-only", `calc\.Sum/`, "calc"}
	out, err := run(t, sum...)
	if n := strings.Count(out, ": TestSum of calc\n"); err != nil || n < 3 || n != strings.Count(out, "calc.Sum/delete/") {
		t.Errorf("%v: the test detects %d\n%s", err, n, out)
	}
	other, err := run(t, append([]string{"-seed", "2"}, sum...)...)
	if err != nil || other == out || len(other) != len(out) {
		t.Errorf("%v: another seed draws in another order:\n%s", err, other)
	}
	if out, err = run(t, "-lines", "1", "-only", `calc\.Both/`, "calc"); err == nil || !strings.Contains(out, ": no test\n") {
		t.Errorf("%v, got\n%s", err, out)
	}
}
