package lock_test

import (
	"slices"
	"testing"

	"lamina.build/lock"
)

func TestParseSet(t *testing.T) {
	for text, want := range map[string]lock.Set{
		"runtime":                     {Kind: lock.SetRuntime},
		"extra@debug":                 {Kind: lock.SetExtra, Variant: "debug"},
		"python@blackwell":            {Kind: lock.SetPython, Variant: "blackwell"},
		"build:insightface":           {Kind: lock.SetBuild, Project: "insightface"},
		"build:insightface@blackwell": {Kind: lock.SetBuild, Project: "insightface", Variant: "blackwell"},
		"nobody":                      {Kind: "nobody"},
		"":                            {},
		"runtime@":                    {Kind: "runtime@"},
		"build:a@":                    {Kind: "build:a@"},
		"build":                       {Kind: "build"},
		"build:":                      {Kind: lock.SetBuild},
		"runtime@a@b":                 {Kind: lock.SetRuntime, Variant: "a@b"},
	} {
		if got := lock.ParseSet(text); got != want {
			t.Errorf("%q is %#v, want %#v", text, got, want)
		}
	}
}

// The text of a set represents it completely.
func FuzzParseSetIsTheInverseOfString(f *testing.F) {
	for _, text := range []string{"", "base", "runtime@blackwell", "build:x", "build:x@y", "@", "a@b@", "build:@"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if got := lock.ParseSet(text).String(); got != text {
			t.Errorf("%q comes back as %q", text, got)
		}
	})
}

// A hyphen sorts before an @, which sorts before letters, as in all locks.
func TestSetsAreOrderedByTheirText(t *testing.T) {
	want := []string{"build:a", "build:a-b", "build:a-b@x", "build:a@x", "build:ab", "builder", "builder@x", "python", "python@x", "runtime"}
	sets := setsOf(want)
	slices.Reverse(sets)
	slices.SortFunc(sets, lock.Set.Compare)
	if !slices.Equal(sets, setsOf(want)) {
		t.Errorf("got %v, want %v", sets, want)
	}
}
