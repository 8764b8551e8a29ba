package mutate

import (
	"fmt"
	"io"
)

// summary is the result of a sample.
type summary struct {
	sample  []*Mutant
	results map[string]Result
	reasons map[string]string // why a mutant makes no difference
}

// tally counts mutants.
type tally struct{ killed, survived, equivalent, left int }

func (t tally) percent() float64 {
	return 100 * float64(t.killed) / max(float64(t.killed+t.survived), 1)
}

// count counts the mutants of a package, or of all packages if none is named.
func (s summary) count(name string) tally {
	var t tally
	for _, m := range s.sample {
		if name != "" && m.subject.short != name {
			continue
		}
		r, done := s.results[m.ID]
		switch {
		case s.reasons[m.ID] != "":
			t.equivalent++
		case !done:
			t.left++
		case r.Status == survived:
			t.survived++
		case r.Status != invalid:
			t.killed++
		}
	}
	return t
}

// print prints the counts of each package, and the survivors.
func (s summary) print(out io.Writer) {
	const row = "%-20s %6d %8d %10d %6d %9.1f %%\n"
	fmt.Fprintf(out, "\n%-20s %6s %8s %10s %6s %11s\n", "package", "killed", "survived", "equivalent", "left", "of both")
	seen := map[string]bool{}
	for _, m := range s.sample {
		if name := m.subject.short; !seen[name] {
			seen[name] = true
			t := s.count(name)
			fmt.Fprintf(out, row, name, t.killed, t.survived, t.equivalent, t.left, t.percent())
		}
	}
	t := s.count("")
	fmt.Fprintf(out, row, "all", t.killed, t.survived, t.equivalent, t.left, t.percent())
	for _, m := range s.sample {
		if s.results[m.ID].Status == survived && s.reasons[m.ID] == "" {
			fmt.Fprintf(out, "\nsurvived: %s\n%s\n%s", m.ID, m.Where(), m.Diff())
		}
	}
}

// verdict fails if too few were killed, or some remain to be tried.
func (s summary) verdict(least int) error {
	t := s.count("")
	switch {
	case t.left > 0:
		return fmt.Errorf("%d mutants are left: run it again to resume", t.left)
	case t.percent() < float64(least):
		return fmt.Errorf("%.1f %% are killed, at least %d %% must be", t.percent(), least)
	}
	return nil
}
