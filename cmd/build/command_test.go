package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"lamina.build"

	"lamina.build/internal/failure"
)

func TestDidYouMean(t *testing.T) {
	known := []string{"image", "lock", "engine", "version", "--cache-from"}
	for word, want := range map[string]string{
		"lokc": "lock", "imgae": "image", "ver": "version", "engin": "engine", "--cache-form": "--cache-from",
		"": "", "x": "", "registry": "",
	} {
		if want != "" {
			want = fmt.Sprintf("did you mean %q?", want)
		} else {
			want = "run \"build --help\" for the commands and flags"
		}
		if diff := cmp.Diff([]string{want}, failure.Hints(unknown("word", word, known))); diff != "" {
			t.Errorf("%q (-want +got):\n%s", word, diff)
		}
	}
}

func TestParseSize(t *testing.T) {
	for s, want := range map[string]int64{"": 0, "0": 0, "17": 17, "500MB": 5e8, "1.5GB": 15e8, "2 tb": 2e12, "3kB": 3000} {
		if got, err := parseSize(s); err != nil || got != want {
			t.Errorf("parseSize(%q) is %d, %v, want %d", s, got, err, want)
		}
	}
	for _, s := range []string{"GB", "-1", "1XB", "1e99GB", "NaN", "Inf", "10 000"} {
		if got, err := parseSize(s); err == nil {
			t.Errorf("parseSize(%q) is %d, want an error", s, got)
		}
	}
}

// Help fits a terminal: no line is wider than the width at which flags are wrapped.
func TestHelpFits(t *testing.T) {
	const width = 102 // of a report.Page
	pages := map[string]string{}
	for _, p := range manual((&app{}).root()) {
		pages[p.Command] = p.String()
	}
	for name, text := range pages {
		for line := range strings.Lines(text) {
			if n := len([]rune(strings.TrimRight(line, "\n"))); n > width {
				t.Errorf("help of %s: %d columns: %s", name, n, line)
			}
			if strings.TrimRight(line, " \n") != strings.TrimRight(line, "\n") {
				t.Errorf("help of %s: line ends in spaces: %q", name, line)
			}
		}
	}
}

func TestUpgrades(t *testing.T) {
	parse := func(args ...string) (o lockFlags) {
		t.Helper()
		c := &cobra.Command{}
		o.add(c)
		if err := c.ParseFlags(args); err != nil {
			t.Fatal(err)
		}
		return o
	}
	o := parse("dir", "--upgrade-package", "Flash_Attn", "--upgrade-package=torch")
	if diff := cmp.Diff(lamina.Upgrade{Packages: []string{"Flash_Attn", "torch"}}, o.upgrade); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := parse("--upgrade").upgrade; !got.All || len(got.Packages) > 0 {
		t.Errorf("got %+v", got)
	}
}
