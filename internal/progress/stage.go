package progress

import (
	"cmp"
	"regexp"
	"strings"
)

// Stages of a build, as the view lists them.
const (
	Resolve = "resolve"
	Fetch   = "fetch"
	Builder = "builder"
	Wheels  = "wheels"
	Runtime = "runtime"
	Model   = "model"
	App     = "app"
	Smoke   = "smoke"
	Export  = "export"
)

// order returns the stages in the order of the view.
func order() []string {
	return []string{Resolve, Fetch, Builder, Wheels, Runtime, Model, App, Smoke, Export}
}

// classifier finds the stage of steps by their names. A build has one graph (packages llb
// and stages), and its steps are named in a few ways: "SUBJECT: WORK", "check: SUBJECT",
// "load SUBJECT".
type classifier struct {
	only     string            // the stage of all steps, unless empty
	subjects map[string]string // subjects, with the stages that make them
}

var (
	made   = regexp.MustCompile(`^(.*): (?:(compile|install)|(select)|install \d+ packages|gather packages|one layer)$`)
	tools  = regexp.MustCompile(`^unpack uv$|^scripts of `)
	lists  = regexp.MustCompile(`^list of the files of `)
	leaves = regexp.MustCompile(`^image$|^exporting |^importing |^(pushing|sending|writing|preparing|copying) `)
)

// learn records what a step makes. The engine sends the graph before its steps begin.
func (c classifier) learn(name string) {
	m := made.FindStringSubmatch(name)
	if m == nil {
		return
	}
	stage := Runtime // a variant's packages are added to it
	switch subject := m[1]; {
	case subject == Builder:
		stage = Builder
	case lists.MatchString(subject):
		stage = Model
	case m[2] != "":
		stage = Wheels
	case m[3] != "":
		stage = App
	case c.subjects[subject] != "":
		return // "NAME: one layer" adds nothing
	}
	c.subjects[m[1]] = stage
}

func (c classifier) stage(name string) string {
	subject := name
	if m := made.FindStringSubmatch(name); m != nil {
		subject = m[1]
	}
	checked, isCheck := strings.CutPrefix(subject, "check: ")
	switch {
	case c.only != "":
		return c.only
	case strings.HasPrefix(name, "smoke: "):
		return Smoke
	case c.subjects[subject] != "":
		return c.subjects[subject]
	case lists.MatchString(checked):
		return Model
	case isCheck:
		return cmp.Or(c.subjects[checked], Runtime)
	case tools.MatchString(name):
		return Builder
	case name == "load app":
		return App
	case strings.HasPrefix(name, "fetch "), strings.HasPrefix(name, "load "):
		return Fetch
	case leaves.MatchString(name):
		return Export
	}
	return Model // "NAME" alone is the layer of a model's files
}

// short returns the name of a step without its stage.
func short(name, stage string) string { return strings.TrimPrefix(name, stage+": ") }
