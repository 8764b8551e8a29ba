package sbom_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// schema compiles one of the schemas in files, by their addresses.
func schema(t *testing.T, address string, files map[string]string) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	for at, name := range files {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		text, err := jsonschema.UnmarshalJSON(f)
		if err == nil {
			err = c.AddResource(at, text)
		}
		if err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
	}
	s, err := c.Compile(address)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Both documents match the schemas of their formats, which reject invalid ones: SPDX's own,
// from its specification, and those in CycloneDX's module.
func TestDocumentsAreAsTheirSchemasWant(t *testing.T) {
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/CycloneDX/cyclonedx-go").Output()
	if err != nil {
		t.Fatal(err)
	}
	of := func(name string) string { return filepath.Join(strings.TrimSpace(string(dir)), "schema", name) }
	const at = "http://cyclonedx.org/schema/"
	schemas := map[string]*jsonschema.Schema{
		"SPDX": schema(t, "http://spdx.org/rdf/terms/2.3", map[string]string{"http://spdx.org/rdf/terms/2.3": "testdata/spdx-2.3.schema.json"}),
		"CycloneDX": schema(t, at+"bom-1.6.schema.json", map[string]string{
			at + "bom-1.6.schema.json": of("bom-1.6.schema.json"), at + "spdx.schema.json": of("spdx.schema.json"), at + "jsf-0.82.schema.json": of("jsf-0.82.schemax.json"),
		}),
	}
	spdx, err := bill().SPDX()
	if err != nil {
		t.Fatal(err)
	}
	cdx, err := bill().CycloneDX()
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"SPDX": spdx, "CycloneDX": cdx} {
		for text, fine := range map[string]bool{string(data): true, strings.ReplaceAll(string(data), `"name"`, `"nome"`): false} {
			document, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
			if err != nil {
				t.Fatal(err)
			}
			if err := schemas[name].Validate(document); (err == nil) != fine {
				t.Errorf("%s, valid: %v: %v", name, fine, err)
			}
		}
	}
}
