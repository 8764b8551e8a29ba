package models

import (
	"fmt"
	"slices"
	"strings"

	"lamina.build/internal/hub"
	"lamina.build/internal/layers"
	"lamina.build/internal/weights"
	"lamina.build/lock"
)

// Drift lists what locking would never have written about the models of a lock, one
// sentence each. Their sha256 pins the content of files; only the hub can tell whether
// these are the files of the commit.
func Drift(l lock.Lock) (drift []string) {
	for _, m := range l.Models {
		for _, problem := range unlike(m) {
			drift = append(drift, fmt.Sprintf("model %s: %s", m.From, problem))
		}
	}
	return drift
}

func unlike(m lock.Model) (problems []string) {
	say := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	names := make([]string, len(m.Files))
	for i, f := range m.Files {
		names[i] = f.Path
	}
	wanted, err := layers.Select(names, m.Include, m.Exclude)
	if err != nil {
		say("%v", err)
	}
	_, revision, isHub := m.Repository()
	for _, f := range m.Files {
		if !slices.Contains(wanted, f.Path) {
			say("the spec doesn't select file %q", f.Path)
		}
		if want, err := hub.InList(m.From, f.Path); !isHub && (err != nil || f.URL != want) {
			say("file %q has URL %s; its list has %s", f.Path, f.URL, want)
		}
	}
	if isHub && lock.IsCommit(revision) && m.Commit != revision || !isHub && m.Commit != "" {
		say("unexpected commit %s", m.Commit)
	}
	if got := weights.Digest(m).String(); m.Digest != got {
		say("digest %s differs from that of its files, %s", m.Digest, got)
	}
	if err := check(m); err != nil {
		say("%s", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	return problems
}
