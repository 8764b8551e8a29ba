package spec_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lamina.build/spec"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestGoldenOfEveryKey(t *testing.T) {
	f := parseFile(t, "testdata/full.toml")
	got, err := json.MarshalIndent(variant(t, f, spec.Production), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	golden := filepath.Join("testdata", "full.golden.json")
	if *update {
		if err = os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("production of testdata/full.toml (-want +got):\n%s", diff)
	}
}

func parseFile(t testing.TB, name string) *spec.File {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, string(data))
}

func parse(t testing.TB, text string) *spec.File {
	t.Helper()
	f, err := spec.Parse("image.toml", []byte(text))
	if err != nil {
		t.Fatalf("parsing:\n%s\n%v", text, err)
	}
	return f
}

func variant(t testing.TB, f *spec.File, name string) spec.Spec {
	t.Helper()
	s, err := f.Variant(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
