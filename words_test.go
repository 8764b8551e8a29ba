package lamina_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// homemade maps words that nobody outside this project would look for to the field's
// own.
var homemade = map[string]string{
	"adopt": "take, find", "beside": "next to", "blame": "explain", "deaf": "silent", "fault": "problem", "folder": "directory",
	"near": "suggestion", "patience": "retry, timeout", "patient": "retrying", "spoil": "corrupt", "spoilt": "corrupted", "stranger": "third party, other",
	"sweep": "cleanup", "swept": "removed", "tape": "the output", "wish": "requirement",
}

// TestWordsAreTheFieldsOwn checks the names of files, identifiers, and the messages of the
// product's programs.
func TestWordsAreTheFieldsOwn(t *testing.T) {
	t.Parallel()
	files := token.NewFileSet()
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (strings.HasPrefix(entry.Name(), ".") && path != "." || entry.Name() == "testdata" || entry.Name() == "fake_wan"):
			return fs.SkipDir
		}
		faults := strings.HasPrefix(path, "internal/test") || strings.HasPrefix(path, "test") || strings.HasPrefix(path, "bench/cases") || strings.HasSuffix(path, "_test.go") // tests inject faults
		for _, word := range wordsOf(path) {
			wantField(t, path, word, faults)
		}
		if filepath.Ext(path) != ".go" {
			return nil
		}
		file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			text := ""
			switch n := n.(type) {
			case *ast.Ident:
				text = n.Name
			case *ast.BasicLit:
				if strings.HasSuffix(path, "_test.go") || n.Kind != token.STRING {
					return true
				}
				text = n.Value
			}
			for _, word := range wordsOf(text) {
				wantField(t, files.Position(n.Pos()).String(), word, faults)
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// wantField reports a home-made word, in the singular or plural.
func wantField(t *testing.T, at, word string, faults bool) {
	t.Helper()
	for _, stem := range []string{word, strings.TrimSuffix(word, "s"), strings.TrimSuffix(word, "es"), strings.TrimSuffix(word, "ed"), strings.TrimSuffix(word, "d")} {
		if field, ok := homemade[stem]; ok && word != "besides" && (stem != "fault" || !faults) {
			t.Errorf("%s: %q: write %s", at, word, field)
			return
		}
	}
}

var parts = regexp.MustCompile(`[A-Z]?[a-z]+|[A-Z]+`)

// wordsOf splits text, names in camel case included, into words.
func wordsOf(text string) []string {
	list := parts.FindAllString(text, -1)
	for i, word := range list {
		list[i] = strings.ToLower(word)
	}
	slices.Sort(list)
	return slices.Compact(list)
}
