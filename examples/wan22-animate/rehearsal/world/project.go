package world

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"lamina.build/lock"
)

// Replacement is an address on the internet, and its stand-in.
type Replacement struct {
	File  string // of the project
	Old   string
	New   string
	Times int // how often it is replaced there
}

// Project writes the example into a directory, which must not exist. Everything is as
// shipped except for the [World.Replacements].
func (w *World) Project(dir string) error {
	if err := os.CopyFS(dir, w.example); err != nil {
		return fmt.Errorf("copying the example: %w", err)
	}
	changed, err := replaced(w.texts, w.replacements)
	if err != nil {
		return err
	}
	for name, text := range changed {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil { //nolint:gosec // like the example's own
			return err
		}
	}
	return nil
}

// Replacements returns the changes that [World.Project] makes.
func (w *World) Replacements() []Replacement { return w.replacements }

// replaced changes texts. A remaining internet address is an error: a rehearsal must not
// use it.
func replaced(texts map[string]string, list []Replacement) (map[string]string, error) {
	changed := map[string]string{}
	for name, text := range texts {
		for _, r := range list {
			if r.File == name {
				text = strings.ReplaceAll(text, r.Old, r.New)
			}
		}
		if left := outside.FindString(withoutComments(text)); left != "" {
			return nil, fmt.Errorf("%s: nothing stands for %s", name, left)
		}
		changed[name] = text
	}
	return changed, nil
}

// outside finds addresses of the internet.
var outside = regexp.MustCompile(`https://[\w./-]+`)

func withoutComments(text string) string {
	return regexp.MustCompile(`(?m)(^|\s)#.*$`).ReplaceAllString(text, "")
}

// commit finds the commit of a repository in a spec, and in a requirement.
var (
	wanCommit  = regexp.MustCompile(`(?s)"https://github\.com/Wan-Video/Wan2\.2"\s*commit\s*=\s*"(` + lock.CommitPattern + `)"`)
	sam2Commit = regexp.MustCompile(`git\+https://github\.com/facebookresearch/sam2\.git@(` + lock.CommitPattern + `)`)
)

// replace returns the replacements for the texts of the example.
func (w *World) replace() []Replacement {
	var list []Replacement
	add := func(file, old, replacement string) {
		if n := strings.Count(w.texts[file], old); n > 0 {
			list = append(list, Replacement{file, old, replacement, n})
		}
	}
	for file, text := range w.texts {
		add(file, "https://github.com/facebookresearch/sam2.git", w.SAM2.URL)
		add(file, "https://github.com/Wan-Video/Wan2.2", w.Wan.URL)
		if m := wanCommit.FindStringSubmatch(text); m != nil {
			add(file, m[1], w.Wan.Commit)
		}
		if m := sam2Commit.FindStringSubmatch(text); m != nil {
			add(file, m[1], w.SAM2.Commit)
		}
	}
	slices.SortFunc(list, func(a, b Replacement) int { return strings.Compare(a.File+a.Old, b.File+b.Old) })
	return list
}
