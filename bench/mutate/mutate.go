// Package mutate finds changes of the code that no test detects. It changes one place of
// a package at a time, for example by negating a condition, and runs the package's own
// tests, then those of its importers. A change after which all pass has survived: a test
// is missing, or the change makes no difference.
//
// The tree is never touched, since the go command reads the changed file from an
// overlay. The places are a sample, drawn by a hash of names without file or line
// ([Mutant.ID]), so that it stays the same while code moves. Each result is written to a
// journal at once, so that a stopped run can be resumed.
package mutate

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// subjects are the packages to change if none are named.
var subjects = []string{"stages", "llb", "lock", "internal/layers", "internal/weights", "internal/registry", "internal/fetch"}

// options are the command line's options.
type options struct {
	sample     int
	journal    string
	equivalent string
	id         string
	list       bool
	workers    int
	limit      time.Duration
	least      int // per cent
	only       string
	own        bool
	lines      int
	seed       uint64
}

func parse(args []string, out io.Writer) (options, []string, error) {
	var o options
	set := flag.NewFlagSet("bench mutate", flag.ContinueOnError)
	set.SetOutput(out)
	set.IntVar(&o.sample, "n", 200, "how many `mutants` the sample has")
	set.StringVar(&o.journal, "o", "bench/results/mutants.jsonl", "the journal: a `file` from which the next run resumes")
	set.StringVar(&o.equivalent, "equivalent", "bench/mutants.txt", "the `file` of mutants that make no difference")
	set.StringVar(&o.id, "id", "", "run only the mutant of this `name`, print its tests' output, and write no journal")
	set.BoolVar(&o.list, "list", false, "print the sample and run nothing")
	set.IntVar(&o.workers, "j", 2, "how many `tests` run at a time")
	set.DurationVar(&o.limit, "for", time.Hour, "how `long` it may take; the next run resumes")
	set.IntVar(&o.least, "least", 85, "fail if fewer than this `percent` are killed")
	set.StringVar(&o.only, "only", "", "draw from mutants whose names match this `expression`")
	set.BoolVar(&o.own, "own", false, "run only the package's own tests; survivors aren't written to the journal")
	set.IntVar(&o.lines, "lines", 0, "instead of a sample, delete this number of `statements` and print which test fails without each")
	set.Uint64Var(&o.seed, "seed", 1, "a `number` that selects those")
	set.Usage = func() {
		fmt.Fprintln(out, "usage: go run ./bench mutate [FLAG…] [PACKAGE…], in the repository's root")
		set.PrintDefaults()
	}
	if err := set.Parse(args); err != nil {
		return o, nil, err
	}
	if set.NArg() > 0 {
		return o, set.Args(), nil
	}
	return o, subjects, nil
}

// Main runs the program.
func Main(ctx context.Context, args []string, out io.Writer) error {
	o, names, err := parse(args, out)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	w, err := open(ctx, ".")
	if err != nil {
		return err
	}
	w.own = o.own
	all, err := w.mutants(ctx, names, o)
	if err != nil {
		return err
	}
	if o.id != "" {
		return w.one(ctx, out, all, o.id)
	}
	reasons, err := readReasons(o.equivalent)
	if err != nil {
		return err
	}
	if o.lines > 0 {
		all = slices.DeleteFunc(all, func(m *Mutant) bool { return reasons[m.ID] != "" })
		return w.lines(ctx, out, all, o.lines, o.seed)
	}
	sample := draw(all, o.sample)
	if o.list {
		for _, m := range all {
			if slices.Contains(sample, m) {
				fmt.Fprintf(out, "%s\n%s", m.ID, m.Diff())
			}
		}
		return nil
	}
	known, err := w.readJournal(o.journal)
	if err != nil {
		return err
	}
	var todo []*Mutant
	for _, m := range sample {
		if _, done := known[m.ID]; !done && reasons[m.ID] == "" {
			todo = append(todo, m)
		}
	}
	limited, cancel := context.WithTimeout(ctx, o.limit)
	defer cancel()
	if err := w.runAll(limited, out, o, todo, known); err != nil {
		return err
	}
	s := summary{sample: sample, results: known, reasons: reasons}
	s.print(out)
	for id := range reasons {
		of := func(name string) bool {
			return o.only == "" && strings.HasPrefix(id, name+".") && !strings.Contains(id, "/delete/")
		}
		if slices.ContainsFunc(names, of) && !slices.ContainsFunc(all, func(m *Mutant) bool { return m.ID == id }) {
			fmt.Fprintf(out, "%s is in %s, but no longer in the code\n", id, o.equivalent)
		}
	}
	return s.verdict(o.least)
}

// mutants returns the mutants of some packages, or their deletions.
func (w *world) mutants(ctx context.Context, names []string, o options) ([]*Mutant, error) {
	only, err := regexp.Compile(o.only)
	if err != nil {
		return nil, err
	}
	var all []*Mutant
	for _, name := range names {
		p, err := w.load(ctx, filepath.ToSlash(filepath.Clean(name)))
		if err != nil {
			return nil, err
		}
		if o.lines > 0 {
			all = append(all, p.deletions()...)
		} else {
			all = append(all, p.mutants()...)
		}
	}
	return slices.DeleteFunc(all, func(m *Mutant) bool { return !only.MatchString(m.ID) }), nil
}

// one runs a mutant and prints its tests' output.
func (w *world) one(ctx context.Context, out io.Writer, all []*Mutant, id string) error {
	i := slices.IndexFunc(all, func(m *Mutant) bool { return m.ID == id })
	if i < 0 {
		return fmt.Errorf("there is no mutant %q", id)
	}
	fmt.Fprintf(out, "%s\n%s", all[i].Where(), all[i].Diff())
	remove, err := w.weave(all[i : i+1])
	if err != nil {
		return err
	}
	defer remove()
	r, err := w.try(ctx, all[i], out)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s %s %s\n", r.Status, r.ID, r.By)
	return err
}

// runAll tries the remaining mutants, and adds their results to the known ones.
func (w *world) runAll(ctx context.Context, out io.Writer, o options, todo []*Mutant, known map[string]Result) error {
	if err := os.MkdirAll(filepath.Dir(o.journal), 0o750); err != nil {
		return err
	}
	journal, err := os.OpenFile(o.journal, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer journal.Close()
	remove, err := w.weave(todo)
	if err != nil {
		return err
	}
	defer remove()
	var (
		mu       sync.Mutex
		group    sync.WaitGroup
		problems []error
		waiting  = make(chan *Mutant)
	)
	for range o.workers {
		group.Go(func() {
			for m := range waiting {
				r, err := w.try(ctx, m, io.Discard)
				mu.Lock()
				if err == nil {
					known[m.ID] = r
					if !w.own || r.Status != survived {
						err = r.write(journal)
					}
					fmt.Fprintf(out, "%-8s %5.1f s  %s  (%s)\n", r.Status, r.Seconds, m.ID, m.Where())
				}
				if err != nil {
					problems = append(problems, err)
				}
				mu.Unlock()
			}
		})
	}
	for _, m := range todo {
		select {
		case waiting <- m:
		case <-ctx.Done():
		}
		mu.Lock()
		stop := len(problems) > 0 || ctx.Err() != nil
		mu.Unlock()
		if stop {
			break
		}
	}
	close(waiting)
	group.Wait()
	if ctx.Err() != nil {
		return nil // stopped, not failed: the summary has the number left
	}
	return errors.Join(problems...)
}
