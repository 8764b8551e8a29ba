package lamina_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// arrows list what each package imports of this module. They point down, from the command
// to packages that import no others.
var arrows = map[string]string{
	"lamina":                        "cache internal/atomicfile internal/attest internal/beneath internal/debian internal/engine internal/engine/runc internal/failure internal/fetch internal/graph internal/hub internal/humanize internal/imagediff internal/layers internal/layout internal/layout/blobs internal/referrer internal/registry internal/resolve internal/resolve/requirements internal/resolve/userinfo internal/resolve/uv internal/sbom internal/signing internal/solve internal/solve/readback internal/vendorstore internal/weights llb lock output spec stages",
	"bench":                         "bench/cases bench/mutate internal/test/testworld",
	"cache":                         "",
	"cmd/build":                     "lamina examples/wan22-animate internal/atomicfile internal/console internal/engine internal/failure internal/report output",
	"internal/atomicfile":           "internal/beneath internal/failure",
	"internal/attest":               "internal/sbom lock stages",
	"internal/beneath":              "internal/failure",
	"internal/console":              "lamina internal/atomicfile internal/failure internal/progress internal/report",
	"internal/debian":               "internal/atomicfile internal/failure internal/fetch",
	"internal/engine":               "internal/atomicfile internal/failure",
	"internal/engine/runc":          "internal/atomicfile internal/debian internal/failure",
	"internal/engine/supervisor":    "",
	"internal/failure":              "",
	"internal/fetch":                "internal/failure",
	"internal/graph":                "",
	"internal/hub":                  "internal/failure internal/fetch internal/layers lock",
	"internal/humanize":             "",
	"internal/imagediff":            "",
	"internal/layers":               "internal/beneath internal/layout/blobs internal/scripts llb",
	"internal/layout":               "internal/atomicfile internal/beneath internal/failure internal/layout/blobs internal/referrer",
	"internal/layout/blobs":         "internal/atomicfile internal/beneath",
	"internal/progress":             "internal/humanize internal/report",
	"internal/referrer":             "",
	"internal/registry":             "internal/failure internal/fetch internal/humanize internal/referrer internal/toml",
	"internal/release":              "internal/atomicfile internal/debian internal/engine llb",
	"internal/report":               "lamina internal/engine internal/humanize lock output stages",
	"internal/resolve":              "internal/atomicfile internal/debian internal/engine internal/failure internal/fetch internal/hub internal/layout/blobs internal/resolve/apt internal/resolve/models internal/resolve/requirements internal/resolve/userinfo internal/resolve/uv llb lock spec stages",
	"internal/resolve/apt":          "internal/atomicfile internal/debian internal/failure internal/layers internal/solve llb lock",
	"internal/resolve/door":         "internal/failure internal/fetch lock",
	"internal/resolve/license":      "",
	"internal/resolve/models":       "internal/failure internal/hub internal/humanize internal/layers internal/resolve/license internal/weights lock",
	"internal/resolve/pep508":       "",
	"internal/resolve/reqfile":      "internal/failure internal/resolve/userinfo lock",
	"internal/resolve/userinfo":     "internal/failure",
	"internal/resolve/uv":           "cache internal/atomicfile internal/beneath internal/failure internal/fetch internal/humanize internal/layers internal/resolve/door internal/resolve/license internal/resolve/pep508 internal/resolve/reqfile internal/resolve/userinfo internal/scripts internal/solve llb lock",
	"internal/resolve/requirements": "internal/beneath internal/failure internal/resolve/reqfile internal/resolve/uv internal/toml lock spec",
	"internal/sbom":                 "lock stages",
	"internal/scripts":              "",
	"internal/signing":              "internal/attest internal/failure internal/fetch",
	"internal/solve":                "cache internal/atomicfile internal/failure llb stages",
	"internal/solve/readback":       "internal/atomicfile internal/beneath internal/failure internal/humanize internal/layout internal/referrer internal/registry output stages",
	"internal/toml":                 "",
	"internal/vendorstore":          "internal/failure internal/layout internal/registry llb",
	"internal/weights":              "internal/atomicfile internal/failure internal/hub internal/humanize internal/layers internal/layout internal/registry internal/solve llb lock",
	"llb":                           "cache internal/scripts lock",
	"lock":                          "internal/toml",
	"output":                        "",
	"spec":                          "internal/failure internal/toml lock",
	"stages":                        "llb lock",
}

// pure are the packages that have no effects.
var pure = []string{"cache", "llb", "lock", "output", "spec", "stages"}

var effects = []string{"net/http", "os", "os/exec", "github.com/moby/buildkit/client", "github.com/spf13/pflag"}

// fixtures is the directory of test fixtures.
const fixtures = "internal/test/"

// New arrows must be added to the table on purpose, and gone ones removed.
func TestArrowsPointDown(t *testing.T) {
	imports := directImports(t)
	for name, all := range imports {
		var own []string
		for _, i := range all {
			if i == module || strings.HasPrefix(i, module+"/") {
				own = append(own, short(i))
			}
			if slices.Contains(pure, name) && slices.Contains(effects, i) {
				t.Errorf("%s imports %s, which has effects", name, i)
			}
			if strings.HasPrefix(name, "internal/") && i == "github.com/spf13/pflag" {
				t.Errorf("%s reads flags", name)
			}
		}
		want, known := arrows[name]
		if apart(name) {
			continue
		}
		if got := strings.Join(own, " "); !known || got != want {
			t.Errorf("%s imports\n%s, but the table has\n%s", name, got, want)
		}
	}
	for name := range arrows {
		if _, ok := imports[name]; !ok {
			t.Errorf("package %s is gone", name)
		}
	}
}

// apart reports whether a package is no part of the product: a test, an example, a benchmark.
func apart(name string) bool {
	return strings.HasPrefix(name, fixtures) || strings.HasPrefix(name, "test/") || name == "bench" || strings.HasPrefix(name, "bench/") || strings.HasPrefix(name, "examples/")
}

const module = "lamina.build"

func short(path string) string {
	if path == module {
		return "lamina"
	}
	return strings.TrimPrefix(path, module+"/")
}

func directImports(t *testing.T) map[string][]string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports", "./...").Output()
	if err != nil {
		t.Fatalf("listing packages: %v", err)
	}
	all := map[string][]string{}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			ImportPath string
			Imports    []string
		}
		err := d.Decode(&p)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all[short(p.ImportPath)] = p.Imports
	}
}

// Test fixtures are no part of the product.
func TestTheCommandHasNoTestsInIt(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./cmd/build").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		name, imports, _ := strings.Cut(strings.TrimSpace(line), " ")
		// pkcs7, with which sigstore-go reads timestamps, has a misnamed test.
		if slices.Contains(strings.Fields(imports), "testing") && name != "github.com/digitorus/pkcs7" || strings.HasSuffix(name, "/httptest") || strings.HasPrefix(short(name), fixtures) {
			t.Errorf("the command depends on %s", name)
		}
	}
}

// A release leaves out what makes the linker keep every method (bench/DECISIONS.md, on the
// size of the command), and what no command calls.
func TestReleasesAreLean(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "-tags", "grpcnotrace", "./cmd/build").Output()
	if err != nil {
		t.Fatal(err)
	}
	for name := range strings.FieldsSeq(string(out)) {
		if slices.Contains([]string{"golang.org/x/net/trace", "net/http/pprof", "github.com/spf13/cobra/doc"}, name) {
			t.Errorf("the command depends on %s", name)
		}
	}
}
