package publish

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"lamina.build/internal/test/e2etest"
)

// workflow has the parts of a GitHub workflow that are run.
type workflow struct {
	Env  map[string]string
	Jobs map[string]workflowJob
}

type workflowJob struct {
	Needs       string
	Permissions map[string]string
	Strategy    struct{ Matrix struct{ Variant string } }
	Steps       []workflowStep
}

type workflowStep struct {
	ID, Name, If, Uses, Run, Shell string
	With, Env                      map[string]any
}

// workflowAction is a composite action.
type workflowAction struct {
	Inputs  map[string]struct{ Default string }
	Outputs map[string]struct{ Value string }
	Runs    struct{ Steps []workflowStep }
}

// readYAML reads a file of the repository into v.
func readYAML(t *testing.T, name string, v any) {
	t.Helper()
	text, err := e2etest.Schemas(t, ".", "json", filepath.Join(e2etest.Root(t), name))
	if err != nil {
		t.Fatalf("reading %s: %v: %s", name, err, text)
	}
	if err := json.Unmarshal([]byte(text), v); err != nil {
		t.Fatal(err)
	}
}

// runner runs the steps of a job as GitHub's runners do, as far as our workflow needs.
// Artifacts are directories, and the checkout is only the project.
type runner struct {
	*testing.T

	values    map[string]string // of expressions
	env       map[string]string
	dir       string // the workspace
	files     string // of commands: GITHUB_ENV and the like
	project   string
	artifacts string
	inputs    map[string]string // of actions, in place of the workflow's
	more      map[string]string // what variables of steps end in
}

var expression = regexp.MustCompile(`\$\{\{\s*(.*?)\s*\}\}`)

// text replaces a text's expressions with their values. An unknown one fails the test.
func (r *runner) text(s string) string {
	return expression.ReplaceAllStringFunc(s, func(found string) string {
		name := expression.FindStringSubmatch(found)[1]
		value, ok := r.values[name]
		if !ok {
			r.Fatalf("unknown expression %s", found)
		}
		return value
	})
}

func (r *runner) texts(m map[string]any) map[string]string {
	all := map[string]string{}
	for key, value := range m {
		all[key] = r.text(fmt.Sprint(value))
	}
	return all
}

// pinned matches a third-party action at a commit.
var pinned = regexp.MustCompile(`^(actions/[a-z-]+)@[0-9a-f]{40}$`)

func (r *runner) run(s workflowStep) {
	r.Helper()
	if s.Run != "" {
		r.command(s)
		return
	}
	with := r.texts(s.With)
	action := s.Uses
	if m := pinned.FindStringSubmatch(action); m != nil {
		action = m[1]
	}
	path := with["path"]
	if !filepath.IsAbs(path) {
		path = filepath.Join(r.dir, path)
	}
	var err error
	switch action {
	case "actions/checkout":
		err = os.CopyFS(filepath.Join(r.dir, r.values["inputs.directory"]), os.DirFS(r.project))
	case "actions/upload-artifact":
		err = os.CopyFS(filepath.Join(r.artifacts, with["name"]), os.DirFS(path))
	case "actions/download-artifact":
		err = exec.CommandContext(r.Context(), "cp", "-rT", filepath.Join(r.artifacts, with["name"]), path).Run()
	case "./":
		r.action(s, with)
	default:
		r.Fatalf("the test doesn't know the action %s at a commit", s.Uses)
	}
	if err != nil {
		r.Fatalf("%s: %v", s.Uses, err)
	}
}

// action runs the composite action of the repository.
func (r *runner) action(s workflowStep, with map[string]string) {
	r.Helper()
	var a workflowAction
	readYAML(r.T, "action.yml", &a)
	inner := *r
	inner.values = map[string]string{"github.action_path": e2etest.Root(r.T)}
	for name, input := range a.Inputs {
		inner.values["inputs."+name] = input.Default
	}
	for name, value := range with {
		if _, ok := a.Inputs[name]; !ok {
			r.Fatalf("the action has no input %q", name)
		}
		inner.values["inputs."+name] = value
	}
	for name, value := range r.inputs {
		inner.values["inputs."+name] = value
	}
	for _, step := range a.Runs.Steps {
		switch {
		case step.If == "inputs.directory != ''" && inner.values["inputs.directory"] == "":
			return
		case step.If != "" && step.If != "inputs.directory != ''":
			r.Fatalf("unknown condition %s", step.If)
		}
		inner.run(step)
	}
	for name, output := range a.Outputs {
		r.values["steps."+s.ID+".outputs."+name] = inner.text(output.Value)
	}
}

// command runs a step's commands with GitHub's call of bash, and reads what they leave.
func (r *runner) command(s workflowStep) {
	r.Helper()
	env := maps.Clone(r.env)
	maps.Copy(env, r.texts(s.Env))
	for key, value := range r.more {
		if env[key] != "" {
			env[key] += value
		}
	}
	for _, name := range []string{"GITHUB_ENV", "GITHUB_PATH", "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"} {
		env[name] = filepath.Join(r.files, name)
		e2etest.Write(r.T, env[name], nil)
	}
	cmd := exec.CommandContext(r.Context(), "bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", s.Run)
	cmd.Dir, cmd.Env = r.dir, os.Environ()
	for key, value := range env {
		cmd.Env = append(cmd.Env, key+"="+value)
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	e2etest.NoSecret(r.T, "the log", out.String())
	if err != nil {
		r.Fatalf("step %s%s: %v\n%s", s.ID, s.Name, err, e2etest.Tail(out.String()))
	}
	r.Logf("step %s%s:\n%s", s.ID, s.Name, e2etest.Tail(out.String()))
	for line := range r.left("GITHUB_PATH") {
		r.env["PATH"] = line + ":" + r.env["PATH"]
	}
	for line := range r.left("GITHUB_ENV") {
		key, value, _ := strings.Cut(line, "=")
		r.env[key] = value
	}
	for line := range r.left("GITHUB_OUTPUT") {
		key, value, _ := strings.Cut(line, "=")
		r.values["steps."+s.ID+".outputs."+key] = value
	}
}

// left returns the lines that a step left in a file of commands.
func (r *runner) left(name string) map[string]bool {
	data, err := os.ReadFile(filepath.Join(r.files, name))
	if err != nil {
		r.Fatal(err)
	}
	lines := map[string]bool{}
	for line := range strings.FieldsFuncSeq(string(data), func(c rune) bool { return c == '\n' }) {
		lines[line] = true
	}
	return lines
}
