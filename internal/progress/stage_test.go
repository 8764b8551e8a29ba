package progress

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Every step of the graphs of package stages has the stage that makes it.
func TestStages(t *testing.T) {
	graphs, err := filepath.Glob("../../stages/testdata/*.golden.json")
	if err != nil || len(graphs) < 5 {
		t.Fatalf("%d graphs, %v", len(graphs), err)
	}
	var b strings.Builder
	for _, graph := range graphs {
		text, err := os.ReadFile(graph)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		c := classifier{"", map[string]string{}}
		for _, m := range regexp.MustCompile(`"name": "([^"]+)",?\n`).FindAllStringSubmatch(string(text), -1) {
			names = append(names, m[1])
			c.learn(m[1])
		}
		slices.Sort(names)
		for _, name := range slices.Compact(names) {
			fmt.Fprintf(&b, "%-8s %s\n", c.stage(name), name)
		}
	}
	lines := strings.SplitAfter(b.String(), "\n")
	slices.Sort(lines)
	golden(t, "stages.txt", strings.Join(slices.Compact(lines), ""))
}

// Steps of the engine that aren't in the graph, and work that has one stage whatever its
// steps are named.
func TestStagesOfOthers(t *testing.T) {
	for name, want := range map[string]string{
		"exporting to image": Export, "exporting to oci image format": Export, "importing cache manifest from r.example/a": Export,
		"exporting cache to registry": Export, "pushing layers": Export, "weights/t5.safetensors": Model,
		"check: less": Runtime, "less: install 3 packages": Runtime, "load org/one": Fetch,
	} {
		c := classifier{"", map[string]string{}}
		c.learn(name)
		if got := c.stage(name); got != want {
			t.Errorf("%q is of %s, want %s", name, got, want)
		}
		if got := (classifier{Resolve, nil}).stage(name); got != Resolve {
			t.Errorf("%q is of %s", name, got)
		}
	}
}
