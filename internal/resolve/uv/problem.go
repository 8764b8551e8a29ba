package uv

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strings"

	"lamina.build/internal/failure"
	"lamina.build/internal/fetch"
	"lamina.build/internal/resolve/door"
	"lamina.build/internal/solve"
)

// throughDoor returns the problem with a question. If an index could not be asked, that is
// the cause of any error of uv.
func (o Options) throughDoor(ctx context.Context, r Request, q question, d *door.Door, a answer) error {
	own := a.err(r, q)
	if own == nil {
		return nil
	}
	files := d.Files()
	for _, hint := range append(missed(a.Problem.Message, files), o.noIndexes(ctx, d)...) {
		own = failure.WithHint(own, hint)
	}
	left := slices.DeleteFunc(d.Problems(), func(err error) bool { return isNextTo(err, files) })
	if causes := errors.Join(left...); causes != nil { // with their own kinds and hints
		return fmt.Errorf("resolving %s: %w", r.Set, errors.Join(causes, errors.New(own.Error())))
	}
	for _, refused := range d.Refused() {
		o.Note(fmt.Sprintf("%s: the resolve asked for %s, which none of its indexes or requirements names", r.Set, refused.Host))
	}
	return own
}

// isNextTo reports whether an error is the 403 of an index for a project that another one
// has: PyTorch's answers so for projects that it lacks.
func isNextTo(err error, files map[string]door.File) bool {
	status, ok := errors.AsType[*fetch.StatusError](err)
	if !ok || status.Code != http.StatusForbidden {
		return false
	}
	project := normal(path.Base(status.URL))
	for _, f := range files {
		if f.Project == project {
			return true
		}
	}
	return false
}

// timeLimit is the exit status of the bridge for a resolve that took too long.
const timeLimit = 124

// stopped explains an exec that returned no answer.
func (o Options) stopped(ctx context.Context, r Request, d *door.Door, err error) error {
	step, ok := errors.AsType[*solve.Error](err)
	if ok && step.URL != "" && step.URL == o.uv.URL {
		return fmt.Errorf("resolving %s: %w", r.Set, Diagnose(ctx, o.HTTP, o.uv.Wheel(), err))
	}
	if !ok || !strings.Contains(step.Error(), fmt.Sprintf("exit code: %d", timeLimit)) {
		return fmt.Errorf("resolving %s: %w", r.Set, err)
	}
	last := ""
	for _, seen := range d.Seen() {
		if strings.HasSuffix(seen.URL, ".tar.gz") || strings.HasSuffix(seen.URL, ".zip") || strings.Contains(seen.URL, "git-upload-pack") {
			last = "; the last source fetched is " + seen.URL
		}
	}
	err = failure.New(failure.Usage, fmt.Errorf("resolving %s: it took longer than %s%s", r.Set, o.limit(), last))
	return failure.WithHint(err, "to avoid slow builds, declare build requirements in [python.build-requires], or choose a version with wheels")
}

// err returns the problem of an answer in terms of the spec: the places of the requirements
// that it is about, the message of uv or a backend, and hints.
func (a answer) err(r Request, q question) error {
	if a.Problem == nil {
		return nil
	}
	text, hints := cutHints(a.Problem.Message)
	if dir, isTree := r.Sources[a.Problem.Project]; isTree {
		text = fmt.Sprintf("source tree %q: %s", dir, text)
	} else if a.Problem.Project != "" && !strings.Contains(text, a.Problem.Project) {
		text = a.Problem.Project + ": " + text
	}
	text = strings.NewReplacer(
		"file://"+projectPath+"/", "", projectPath+"/", "", "`overrides.txt`", "[python] overrides", ", but `--locked` was provided", "",
	).Replace(text)
	err := failure.New(failure.Usage, fmt.Errorf("%s%s: %s", q.at(a.Problem), r.Set, shortened(text)))
	for _, hint := range slices.Backward(append(a.Problem.hints(q, text), hints...)) { // the last one is shown first
		err = failure.WithHint(err, hint)
	}
	return err
}

// at returns the places of the requirements that a problem is about.
func (q question) at(f *answerProblem) string {
	named := map[string]bool{normal(f.Project): true}
	for _, word := range projectWord.FindAllString(f.Message, -1) {
		named[normal(word)] = true
		if door.IsArchive(word) {
			project, _ := door.ReadName(word)
			named[project] = true
		}
	}
	for _, found := range kindWord.FindAllStringSubmatch(f.Message, -1) {
		named[strings.ToLower(found[1])+" "+normal(found[2])] = true
	}
	var places []string
	for _, p := range q.places {
		if p.name != "" && named[p.name] && !slices.Contains(places, p.at) {
			places = append(places, p.at)
		}
	}
	if places == nil {
		return ""
	}
	return strings.Join(places, ", ") + ": "
}

var (
	hintWord     = regexp.MustCompile(`(?m)^[ \t]*(?:hint|help): `)
	projectWord  = regexp.MustCompile(`[A-Za-z0-9][A-Za-z0-9._-]*[A-Za-z0-9]|[A-Za-z0-9]`)
	kindWord     = regexp.MustCompile("(?i)\\b(extra|group)(?: not found:)? [`'\"]?([a-z0-9][a-z0-9._-]*)")
	failedBuild  = regexp.MustCompile("(?m)^(?:error: |\\W*)Failed to (?:download and )?build `([A-Za-z0-9._-]+)")
	noModule     = regexp.MustCompile(`No module named '([A-Za-z0-9_.]+)'`)
	urlNeeded    = regexp.MustCompile("URL dependencies must be expressed as direct requirements or constraints. Consider adding `([^`]+)`")
	urlsConflict = regexp.MustCompile("conflicting URLs for package `([^`]+)`")
	dirOf        = regexp.MustCompile(`it is the directory '([^']+)'`)
)

// cutHints separates uv's hints, which may span lines, from its message. It rewords those
// that name uv's options for the spec.
func cutHints(text string) (rest string, hints []string) {
	parts := hintWord.Split(text, -1)
	for _, hint := range parts[1:] {
		switch hint = strings.Join(strings.Fields(hint), " "); {
		case strings.Contains(hint, "index-strategy"):
			hints = append(hints, `an earlier index hides versions on later ones: write index-strategy = "unsafe-best-match" under [python] to search all`)
		case strings.Contains(hint, "prerelease"):
			hints = append(hints, "to allow pre-releases, add the line --pre to a requirement file, or a requirement that names one")
		case !strings.Contains(hint, "extra-build-dependencies") && !strings.Contains(hint, "run `uv lock`"): // ours cover these
			hints = append(hints, hint)
		}
	}
	return strings.TrimSpace(parts[0]), hints
}

// hints returns what the user can do about a problem.
func (f *answerProblem) hints(q question, text string) (hints []string) {
	project, module := f.Project, f.Module
	if found := failedBuild.FindStringSubmatch(text); found != nil && project == "" {
		project = normal(found[1])
	}
	if found := noModule.FindAllStringSubmatch(text, -1); found != nil && module == "" {
		module = found[len(found)-1][1]
	}
	switch {
	case module != "" && project != "":
		hints = append(hints, fmt.Sprintf("its build imports %s, which it doesn't declare: [python.build-requires] %s = [%s]", module, project, quoted(buildWith(module))))
	case module != "":
		hints = append(hints, fmt.Sprintf("its build imports %s, which it doesn't declare: write NAME @ in front of its address, and [python.build-requires] NAME = [%s]", module, quoted(buildWith(module))))
	}
	if host, ok := isSSH(text); ok {
		hints = append(hints, failure.Hints(needsLogin(host))...)
	}
	if found := urlNeeded.FindStringSubmatch(text); found != nil {
		hints = append(hints, fmt.Sprintf("the spec must also list what a package requires by URL: add the line %s to a requirement file", found[1]))
	}
	if found := urlsConflict.FindStringSubmatch(text); found != nil {
		hints = append(hints, fmt.Sprintf("choose one: overrides = [%q] under [python]", q.lineOf(found[1])))
	}
	if found := dirOf.FindStringSubmatch(text); found != nil {
		hints = append(hints, fmt.Sprintf("a directory is built as a source tree: sources = [%q] under [python]", found[1]))
	}
	if strings.Contains(text, "lockfile") && strings.Contains(text, "needs to be updated") {
		hints = append(hints, "run \"uv lock\" to bring uv.lock up to date with its pyproject.toml")
	}
	return hints
}

// lineOf returns the line that requires a project.
func (q question) lineOf(project string) string {
	for _, w := range q.Requirements {
		if w.Name == normal(project) {
			return w.Line
		}
	}
	return project + " @ …"
}

// mostLines limits the lines of a build's output in a message.
const mostLines = 40

// shortened cuts the middle of a long text, which begins with what failed and ends with why.
func shortened(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if len(lines) <= mostLines {
		return strings.Join(lines, "\n")
	}
	return strings.Join(slices.Concat(lines[:4], []string{fmt.Sprintf("  … %d lines …", len(lines)-24)}, lines[len(lines)-20:]), "\n")
}

// projectOf returns the requirement that provides a module.
func projectOf(module string) string {
	top, _, _ := strings.Cut(module, ".")
	project := map[string]string{
		"Cython": "cython", "PIL": "pillow", "cv2": "opencv-python-headless", "git": "gitpython", "google": "protobuf",
		"pkg_resources": "setuptools<81", "skimage": "scikit-image", "sklearn": "scikit-learn", "yaml": "pyyaml",
		"distutils": "setuptools", "setuptools": "setuptools", "skbuild": "scikit-build", "mesonpy": "meson-python",
		"poetry": "poetry-core", "flit_core": "flit-core", "setuptools_scm": "setuptools-scm", "hatch_vcs": "hatch-vcs",
	}[top]
	if project == "" {
		return normal(top)
	}
	return project
}

// buildWith returns the requirements of a build that imports a module.
func buildWith(module string) []string {
	project := projectOf(module)
	if strings.HasPrefix(project, "setuptools") && !strings.HasPrefix(project, "setuptools-scm") {
		return []string{project, "wheel"}
	}
	return []string{"setuptools", "wheel", project}
}

func quoted(list []string) string {
	words := make([]string, len(list))
	for i, word := range list {
		words[i] = fmt.Sprintf("%q", word)
	}
	return strings.Join(words, ", ")
}
