package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"lamina.build"

	"lamina.build/internal/failure"
)

func TestFail(t *testing.T) {
	step := &lamina.StepError{Step: "smoke: import numpy", Output: "Traceback\r\nImportError\n", Err: errors.New("smoke: import numpy: exit code: 1: ImportError")}
	err := failure.WithHint(errors.Join(fmt.Errorf("building: %w", step), errors.New("second problem")), "look there")
	want := "build: error: building: smoke: import numpy: exit code: 1: ImportError\n" +
		"build: error: second problem\n" +
		"build: output of smoke: import numpy\n" +
		"  │ Traceback\n  │ ImportError\n" +
		"build: hint: look there\n"
	tests := []struct {
		name   string
		colour bool
		want   string
	}{
		{"plain", false, want},
		{"on a terminal", true, strings.NewReplacer("error:", red+"error:"+off, "hint:", cyan+"hint:"+off).Replace(want)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out, errs strings.Builder
			u := &ui{stdout: &out, stderr: &errs, colour: tt.colour, quiet: true}
			u.fail(err, nil)
			u.note("not said")
			if diff := cmp.Diff(tt.want, errs.String()); diff != "" {
				t.Errorf("standard error (-want +got):\n%s", diff)
			}
			if out.Len() > 0 {
				t.Errorf("standard output has %q", out.String())
			}
		})
	}
}

// A long output is cut to the lines that say why the step failed, and the path of the rest
// is printed; all of it is printed if it can't be stored.
func TestALongOutputIsKeptElsewhere(t *testing.T) {
	var output strings.Builder
	for n := range 1200 {
		fmt.Fprintf(&output, "line %d\n", n+1)
	}
	cache := t.TempDir()
	keep := (&app{env: func(string) string { return cache }}).keepOutput
	kept := filepath.Join(cache, "lamina", "failed-step.log")
	for name, tt := range map[string]struct {
		line        int
		keep        func(string) (string, error)
		title       string
		first, last int
	}{
		"the end":       {1199, keep, ", lines 1161 to 1200; the full output is in " + kept, 1161, 1200},
		"the middle":    {599, keep, ", lines 570 to 609; the full output is in " + kept, 570, 609},
		"the beginning": {0, keep, ", lines 1 to 40; the full output is in " + kept, 1, 40},
		"not kept":      {5, func(string) (string, error) { return "", errors.New("full") }, "", 1, 1200},
	} {
		var errs strings.Builder
		u := &ui{stdout: &strings.Builder{}, stderr: &errs}
		u.fail(&lamina.StepError{Step: "x: compile", Output: output.String(), Line: tt.line, Err: errors.New("x: compile: exit code: 2")}, tt.keep)
		var want strings.Builder
		want.WriteString("build: error: x: compile: exit code: 2\nbuild: output of x: compile" + tt.title + "\n")
		for n := tt.first; n <= tt.last; n++ {
			fmt.Fprintf(&want, "  │ line %d\n", n)
		}
		if diff := cmp.Diff(want.String(), errs.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	var errs strings.Builder
	(&ui{stderr: &errs}).fail(&lamina.StepError{Step: "x", Output: strings.Repeat("\x00", 64<<10), Err: errors.New("x: binary")}, func(string) (string, error) { return "here", nil })
	if text := errs.String(); len(text) > 5*lineBytes || !strings.Contains(text, "output of x, lines 1 to 1; the full output is in here\n  │ \\x00") {
		t.Errorf("a line of 64 kB prints %d bytes: %.100s", len(text), text)
	}
	if text, err := os.ReadFile(kept); err != nil || string(text) != output.String() {
		t.Errorf("stored %d bytes, %v", len(text), err)
	}
	if _, err := keep("\x1b[2J\n"); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(kept); err != nil || string(text) != "\\x1b[2J\n" {
		t.Errorf("stored %q, %v", text, err)
	}
}

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
	pages := map[string]string{}
	for _, p := range manual((&app{}).root()) {
		pages[p.command] = p.String()
	}
	for name, text := range pages {
		for line := range strings.Lines(text) {
			if n := len([]rune(strings.TrimRight(line, "\n"))); n > helpWidth+2 {
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
