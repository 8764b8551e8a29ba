package lamina_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// The arrows of the house: what each public package may import of this module.
// All of them are pure, so none may import what has effects.
var arrows = map[string][]string{
	"lamina.build/lock":   {},
	"lamina.build/cache":  {},
	"lamina.build/llb":    {"lamina.build/lock"},
	"lamina.build/stages": {"lamina.build/cache", "lamina.build/llb", "lamina.build/lock"},
}

var fixtures = []string{"testworld", "enginetest", "e2etest", "container"}

var effects = []string{"net/http", "os", "os/exec", "github.com/moby/buildkit/client", "github.com/spf13/pflag"}

func TestArrowsPointDown(t *testing.T) {
	for path, imports := range directImports(t) {
		allowed, public := arrows[path]
		for _, i := range imports {
			if public && strings.HasPrefix(i, "lamina.build") && !slices.Contains(allowed, i) {
				t.Errorf("%s imports %s", path, i)
			}
			if public && slices.Contains(effects, i) {
				t.Errorf("%s imports %s, which has effects", path, i)
			}
			if strings.HasPrefix(i, "lamina.build/cmd/") {
				t.Errorf("%s imports the command %s", path, i)
			}
		}
		if strings.HasPrefix(path, "lamina.build/internal/") && slices.Contains(imports, "github.com/spf13/pflag") {
			t.Errorf("%s reads flags", path)
		}
	}
}

func directImports(t *testing.T) map[string][]string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports", "./...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("listing packages: %v", err)
	}
	all := map[string][]string{}
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			ImportPath string
			Imports    []string
		}
		err := d.Decode(&p)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		all[p.ImportPath] = p.Imports
	}
	for path := range arrows {
		if _, ok := all[path]; !ok {
			t.Errorf("package %s is gone: the arrows are out of date", path)
		}
	}
	return all
}

// What tests stand on is no part of the product.
func TestTheCommandHasNoTestsInIt(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "./cmd/build").Output()
	if err != nil {
		t.Fatal(err)
	}
	for name := range strings.Lines(string(out)) {
		name = strings.TrimSpace(name)
		if name == "testing" || strings.HasSuffix(name, "/httptest") || slices.Contains(fixtures, strings.TrimPrefix(name, "lamina.build/internal/")) {
			t.Errorf("the command has %s in it", name)
		}
	}
}
