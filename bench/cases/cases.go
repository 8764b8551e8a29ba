// Package cases runs the command over inputs that once misled it, and prints the right
// and the actual result of each. The inputs aren't part of the repository: they are next
// to it, a directory for each case with a README. None is changed: each case works in a
// copy, with a new lock.
package cases

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lamina.build/internal/test/testworld"
)

// aCase is an input and its check.
type aCase struct {
	name  string // its directory, relative to that of all cases
	right string // the right result, if it has only one row
	see   func(c *call) []row
}

// row is a line of the table.
type row struct {
	what  string // if a case has several
	right string
	seen  string
	ok    bool
}

func all() []aCase {
	return slices.Concat(security(), clients(), engines(), packages(), distributions())
}

// Main runs the program.
func Main(ctx context.Context, args []string, out, progress io.Writer) error {
	set := flag.NewFlagSet("bench cases", flag.ContinueOnError)
	set.SetOutput(progress)
	directory := set.String("in", "", "the `directory` of all cases, which aren't part of the repository")
	set.Usage = func() {
		fmt.Fprintln(progress, "usage: go run ./bench cases -in DIR [SET|SET/CASE…], in the repository's root\nsets: security clients engine debian python; all where none is named")
		set.PrintDefaults()
	}
	if err := set.Parse(args); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	if _, err := os.Stat(*directory); err != nil {
		return fmt.Errorf("reading the cases, whose directory -in names: %w", err)
	}
	if os.Geteuid() != 0 {
		return errors.New("the cases need an engine, and only root can run one")
	}
	chosen, err := choose(all(), set.Args())
	if err != nil {
		return err
	}
	w, err := open(ctx, *directory, progress)
	if err != nil {
		return err
	}
	return errors.Join(w.run(chosen, out), w.close())
}

// choose returns the cases that are named, directly or by their set.
func choose(known []aCase, names []string) ([]aCase, error) {
	if len(names) == 0 {
		return known, nil
	}
	var chosen []aCase
	for _, name := range names {
		n := len(chosen)
		for _, c := range known {
			if c.name == name || strings.HasPrefix(c.name, name+"/") {
				chosen = append(chosen, c)
			}
		}
		if len(chosen) == n {
			return nil, fmt.Errorf("there is no case or set %q", name)
		}
	}
	return chosen, nil
}

// run prints the table, each line as soon as it is known.
func (w *world) run(chosen []aCase, out io.Writer) error {
	const line = "%-34s  %-46s  %-60s  %s\n"
	fmt.Fprintf(out, line, "CASE", "RIGHT", "SEEN", "OK")
	wrong, rows := 0, 0
	for _, c := range chosen {
		for _, r := range w.see(c) {
			ok := "yes"
			if !r.ok {
				ok = "NO"
				wrong++
			}
			rows++
			fmt.Fprintf(out, line, strings.TrimSpace(c.name+" "+r.what), r.right, r.seen, ok)
		}
		if err := w.ctx.Err(); err != nil {
			return err
		}
	}
	if wrong > 0 {
		return fmt.Errorf("%d of %d are wrong", wrong, rows)
	}
	return nil
}

// see runs one case. If it can't run, the error is its result.
func (w *world) see(c aCase) (rows []row) {
	fmt.Fprintf(w.progress, "-- %s\n", c.name)
	err := testworld.During(w.ctx, w.dir, func(t testing.TB) error {
		source, dir := filepath.Join(w.cases, c.name), filepath.Join(t.TempDir(), "case")
		if _, err := os.Stat(source); err != nil {
			return err
		}
		if err := os.CopyFS(dir, os.DirFS(source)); err != nil {
			return err
		}
		rows = c.see(&call{world: w, TB: t, source: source, dir: dir})
		return nil
	})
	for i := range rows {
		if rows[i].right == "" {
			rows[i].right = c.right
		}
	}
	if err != nil {
		rows = append(rows, row{right: c.right, seen: firstLine(err.Error())})
	}
	return rows
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return line
}
