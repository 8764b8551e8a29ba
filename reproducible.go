package lamina

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/moby/buildkit/session"

	"lamina.build/internal/engine"
	"lamina.build/internal/failure"
	"lamina.build/internal/solve"
	"lamina.build/llb"
	"lamina.build/stages"
)

// Difference is a path that differs between two installations of the same Debian
// packages, or that only one of them has.
type Difference struct {
	Path     string   `json:"path"`
	What     string   `json:"what"`     // "content, from byte 52 on"
	Packages []string `json:"packages"` // whose scripts have probably made it
}

// ReproducibleError reports that installing the Debian packages of a layer twice gave two results.
type ReproducibleError struct {
	Layer       string // "runtime"
	Differences []Difference
}

// Error has a line for each difference.
func (e *ReproducibleError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: installing the packages twice gives different digests:", e.Layer)
	for _, d := range e.Differences {
		fmt.Fprintf(&b, "\n  %s: %s", d.Path, d.What)
		if len(d.Packages) > 0 {
			fmt.Fprintf(&b, " (%s)", strings.Join(d.Packages, ", "))
		}
	}
	return b.String()
}

// Hint returns what the user can do about it.
func (e *ReproducibleError) Hint() string {
	return `leave out files that nothing needs with exclude under [debian]`
}

// checkReproducible installs the Debian packages of the image again and compares the
// result with the installation in the image.
func (j job) checkReproducible(ctx context.Context, e *engine.Engine) error {
	in, err := j.input(ctx, e)
	if err != nil {
		return err
	}
	states, err := stages.Differences(in, rand.Text())
	if err != nil {
		return err
	}
	var problems []error
	for _, name := range slices.Sorted(maps.Keys(states)) {
		found, err := j.differences(ctx, e, in, states[name])
		switch {
		case err != nil:
			return err
		case len(found) > 0:
			problems = append(problems, &ReproducibleError{name, found})
		default:
			j.note("%s: installing the packages twice gives the same digest", name)
		}
	}
	return failure.New(failure.Findings, errors.Join(problems...))
}

func (j job) differences(ctx context.Context, e *engine.Engine, in stages.Input, state llb.State) (found []Difference, err error) {
	files, err := solve.Read(ctx, e.Client(), solve.ReadRequest{
		State: state, Names: []string{llb.DifferencesName}, Platform: j.platform(), Store: j.store,
		Session: []session.Attachable{j.logins(j.insecure()), j.secrets()}, Progress: j.watch(j.work()), Sources: j.allowed(in),
	})
	if err != nil {
		return nil, e.Explain(ctx, err)
	}
	if err = json.Unmarshal(files[0], &found); err != nil {
		return nil, fmt.Errorf("reading the differences: %w", err)
	}
	return found, nil
}
