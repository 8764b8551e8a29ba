package console

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

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
			c := &Console{stdout: &out, stderr: &errs, colour: tt.colour, quiet: true}
			c.Fail(err)
			c.Notef("not said")
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
	kept := filepath.Join(cache, "lamina", "failed-step.log")
	for name, tt := range map[string]struct {
		line        int
		cache       string
		title       string
		first, last int
	}{
		"the end":       {1199, cache, ", lines 1161 to 1200; the full output is in " + kept, 1161, 1200},
		"the middle":    {599, cache, ", lines 570 to 609; the full output is in " + kept, 570, 609},
		"the beginning": {0, cache, ", lines 1 to 40; the full output is in " + kept, 1, 40},
		"not kept":      {5, "/dev/null", "", 1, 1200},
	} {
		var errs strings.Builder
		c := &Console{stdout: &strings.Builder{}, stderr: &errs, env: func(string) string { return tt.cache }}
		c.Fail(&lamina.StepError{Step: "x: compile", Output: output.String(), Line: tt.line, Err: errors.New("x: compile: exit code: 2")})
		var want strings.Builder
		want.WriteString("build: error: x: compile: exit code: 2\nbuild: output of x: compile" + tt.title + "\n")
		for n := tt.first; n <= tt.last; n++ {
			fmt.Fprintf(&want, "  │ line %d\n", n)
		}
		if diff := cmp.Diff(want.String(), errs.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if text, err := os.ReadFile(kept); err != nil || string(text) != output.String() {
		t.Errorf("stored %d bytes, %v", len(text), err)
	}
	var errs strings.Builder
	(&Console{stderr: &errs, env: func(string) string { return cache }}).Fail(&lamina.StepError{Step: "x", Output: strings.Repeat("\x00", 64<<10), Err: errors.New("x: binary")})
	if text := errs.String(); len(text) > 5*lineBytes || !strings.Contains(text, "output of x, lines 1 to 1; the full output is in "+kept+"\n  │ \\x00") {
		t.Errorf("a line of 64 kB prints %d bytes: %.100s", len(text), text)
	}
	if text, err := os.ReadFile(kept); err != nil || !strings.HasPrefix(string(text), `\x00\x00`) {
		t.Errorf("stored %.20q, %v", text, err)
	}
}
