package spec_test

import (
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"

	"lamina.build/spec"
)

func seeds(f *testing.F) {
	f.Helper()
	full, err := os.ReadFile("testdata/full.toml")
	if err != nil {
		f.Fatal(err)
	}
	for _, text := range []string{
		string(full), overlays, files, "", "name = \"x\"", "[a]\n[a]\n[[a]]", "a.b = 1\na.b.c = 2", "a = [[[", "a = {b = [{c = [1]}]}",
		"name = \"x\"\n[variant]\n[variant.x]\n[variant.x.variant.y]", "\uFEFF", "a = \"\\u00e9\" x", "[\n[debian]\n", "a = [ # ]\n [1], ]",
		"name = \"x\"\n[[variant.a.debian.repository]]\n[variant.a.debian.repository.x]\ny = 1", "a=[\r\n'''x\n'''", "a = 1 # x\r\n[b]\rc",
	} {
		f.Add([]byte(text))
	}
}

// A file that parses has every variant.
func FuzzParseNeverPanics(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := spec.Parse("image.toml", data)
		if err != nil {
			return
		}
		root := tree(t, map[string]string{"x": "y"}).FS()
		for _, name := range file.Variants() {
			if s, err := file.Variant(name); err != nil || s.Name == "" || s.Variant != name {
				t.Errorf("variant %q: %+v, %v", name, s, err)
			}
		}
		_ = file.CheckFiles(root)
	})
}

// Every line of the error begins with a position in the file.
func FuzzParseReportsPosition(f *testing.F) {
	seeds(f)
	place := regexp.MustCompile(`^image\.toml:[1-9][0-9]*:[1-9][0-9]*: .`)
	f.Fuzz(func(t *testing.T, data []byte) {
		_, err := spec.Parse("image.toml", data)
		var joined interface{ Unwrap() []error }
		if err == nil {
			return
		}
		if !errors.As(err, &joined) {
			t.Fatalf("not a list of problems: %v", err)
		}
		lines := strings.Split(strings.TrimPrefix(string(data), "\uFEFF"), "\n")
		for _, one := range joined.Unwrap() {
			var at *spec.Error
			if !errors.As(one, &at) || !place.MatchString(one.Error()) {
				t.Fatalf("no place in %q", one)
			}
			if at.Line > len(lines) || at.Column > len(lines[at.Line-1])+1 {
				t.Errorf("%v is not in the file of %d lines", at, len(lines))
			}
			if strings.ContainsAny(at.Message, "\n\r\x00") {
				t.Errorf("message %q spans lines", at.Message)
			}
		}
	})
}
