package spec_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lamina.build/spec"
)

// A spec made by a program equals a written one: each variant of the existing specs
// survives formatting and parsing.
func TestFormatThereAndBack(t *testing.T) {
	examples, err := filepath.Glob("../examples/*/image.toml")
	if err != nil {
		t.Fatal(err)
	}
	own := map[string]string{
		"own archives": "name = \"x\"\n[debian]\nsuites = []\ncheck-valid-until = false\npackages = [\"cmake/noble-backports\"]\n[[debian.repository]]\nurl = \"https://deb.example\"\nsuite = \"/\"\nkey = \"key\"\n",
		"an account":   "name = \"x\"\n[app]\nuser = \"postgres\"\nentrypoint = [\"/usr/bin/postgres\"]\n",
		"a check":      "name = \"x\"\n[app]\nhealthcheck = [\"CMD-SHELL\", \"true || false\"]\nvolumes = [\"/v\"]\nlabels = { \"a.b\" = \"c\" }\n",
		"root":         "name = \"x\"\n[app]\nuser = \"root\"\n",
	}
	for _, name := range append(examples, append(slices.Collect(maps.Keys(own)), "testdata/full.toml")...) {
		text, isOwn := []byte(own[name]), own[name] != ""
		if !isOwn {
			if text, err = os.ReadFile(name); err != nil {
				t.Fatal(err)
			}
		}
		file, err := spec.Parse(name, text)
		if err != nil {
			t.Fatal(err)
		}
		for _, variant := range file.Variants() {
			want, err := file.Variant(variant)
			if err != nil {
				t.Fatal(err)
			}
			written, err := want.Format()
			if err != nil {
				t.Fatal(err)
			}
			again, err := spec.Parse(name, written)
			if err != nil {
				t.Errorf("%s, %s: %v\n%s", name, variant, err, written)
				continue
			}
			got, err := again.Variant(spec.Production)
			if err != nil {
				t.Fatal(err)
			}
			want.Variant = spec.Production
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s, %s: (-read +written and read)\n%s", name, variant, diff)
			}
		}
	}
}

// A value is checked like a file.
func TestFormatOfProblems(t *testing.T) {
	written, err := (spec.Spec{Name: "NO NAME", Debian: spec.Debian{Packages: []string{"no package"}}}).Format()
	if err != nil {
		t.Fatal(err)
	}
	if _, err = spec.Parse("a program", written); err == nil {
		t.Errorf("accepted:\n%s", written)
	}
}
