package console

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lamina.build"
)

// inWorkflow is a console in a workflow whose checkout is the current directory.
func inWorkflow(t *testing.T, files ...string) (c *Console, out, errs *strings.Builder) {
	t.Helper()
	dir := t.TempDir()
	t.Chdir(dir)
	for _, name := range files {
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, nil, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	out, errs = &strings.Builder{}, &strings.Builder{}
	env := map[string]string{"GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": dir}
	return New(out, errs, func(name string) string { return env[name] }), out, errs
}

func TestErrorsAreAnnotations(t *testing.T) {
	c, out, errs := inWorkflow(t, "p/image.toml", "p/r, 1:2.txt")
	c.github.dir = "p"
	c.Notef("warning: the cache is full: %s", "100%")
	c.Notef("a note")
	c.Fail(errors.Join(
		errors.New("p/image.toml:3:8: name: \"a:b\" is no name, 100%\n  said\rtwice"),
		errors.New("reading requirements: r, 1:2.txt:4: no"),
		errors.New("gone.txt:4: there is no such file"),
		errors.New("p:7: a directory"),
		errors.New("building: step 1:2: exit code: 2"),
	))
	want := `::warning::the cache is full: 100%25
build: a note
::error file=p/image.toml,line=3,col=8::p/image.toml:3:8: name: "a:b" is no name, 100%25%0A  said\rtwice
::error file=p/r%2C 1%3A2.txt,line=4::reading requirements: r, 1:2.txt:4: no
::error::gone.txt:4: there is no such file
::error::p:7: a directory
::error::building: step 1:2: exit code: 2
`
	if diff := cmp.Diff(want, errs.String()); diff != "" || out.Len() > 0 {
		t.Errorf("standard error (-want +got):\n%s\nstandard output: %q", diff, out)
	}
}

// Text from a package or a server is never a command.
func TestNothingElseIsACommand(t *testing.T) {
	c, out, errs := inWorkflow(t)
	said := "::add-mask::a\n \t::error::b\nx ::c\n##[error]d\ne\r::error::f\n\u00a0::error::g\r\n::h"
	_ = c.Result(said)
	c.write(said + "\n#")
	c.write("#")
	c.write("[i\n")
	c.Fail(&lamina.StepError{Step: "s", Output: said, Err: errors.New(said)})
	c.mu.Lock()
	_, _ = io.WriteString(c.stderr, said)
	c.mu.Unlock()
	for line := range strings.FieldsFuncSeq(out.String()+"\n"+errs.String(), func(r rune) bool { return r == '\n' || r == '\r' }) {
		isOurs := strings.HasPrefix(line, "::error::")
		if strings.HasPrefix(strings.TrimSpace(line), "::") && !isOurs || strings.Contains(line, "##[") && !isOurs {
			t.Errorf("a command: %q", line)
		}
	}
	if got := strings.ReplaceAll(out.String(), `\`, ""); got != said {
		t.Errorf("the text is %q", got)
	}
	// A text of several errors is a command for each, and no command in it is obeyed.
	if want := "::error::::add-mask::a%0A \t::error::b\n"; !strings.Contains(errs.String(), want) {
		t.Errorf("%q is not in %q", want, errs)
	}
}

// A script that redirects standard output to a file gets the bytes unchanged.
func TestAFileHasWhatWasAskedFor(t *testing.T) {
	c, _, _ := inWorkflow(t)
	f, err := os.Create("out")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	c.stdout = f
	const text = "::not-for-a-runner::\n"
	if err = c.Result(text); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile("out"); string(got) != text {
		t.Errorf("got %q, %v", got, err)
	}
}
