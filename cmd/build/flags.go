package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"lamina.build/internal/failure"
)

// flagGroup is some flags under one heading of a help text.
type flagGroup struct {
	title string
	*pflag.FlagSet
}

func group(title string, add func(f *pflag.FlagSet)) flagGroup {
	f := pflag.NewFlagSet(title, pflag.ContinueOnError)
	f.SortFlags = false
	add(f)
	return flagGroup{title, f}
}

// parse reads args into the flags of all groups and returns what is no flag.
// It returns [pflag.ErrHelp] where help is asked for.
func parse(groups []flagGroup, args []string) ([]string, error) {
	all := pflag.NewFlagSet("build", pflag.ContinueOnError)
	all.SetOutput(io.Discard)
	for _, g := range groups {
		all.AddFlagSet(g.FlagSet)
	}
	if err := all.Parse(args); err != nil {
		return nil, badFlag(err, all)
	}
	return all.Args(), nil
}

func badFlag(err error, all *pflag.FlagSet) error {
	if errors.Is(err, pflag.ErrHelp) {
		return err
	}
	missing, ok := errors.AsType[*pflag.NotExistError](err)
	if !ok {
		return failure.New(failure.Usage, err)
	}
	if missing.GetSpecifiedShortnames() != "" {
		return failure.WithHint(failure.New(failure.Usage, err), "add --help for the flags that there are")
	}
	var known []string
	all.VisitAll(func(f *pflag.Flag) { known = append(known, "--"+f.Name) })
	return unknown("flag", "--"+missing.GetSpecifiedName(), known)
}

// choice is a flag whose value is one of a few words.
type choice struct {
	value string
	words []string
}

func (c *choice) String() string { return c.value }

// Type is what help shows for the value.
func (c *choice) Type() string { return strings.Join(c.words, "|") }

// Set implements [pflag.Value].
func (c *choice) Set(word string) error {
	if !slices.Contains(c.words, word) {
		return fmt.Errorf("not one of %s", strings.Join(c.words, ", "))
	}
	c.value = word
	return nil
}

// engineFlags say which engine to use.
type engineFlags struct{ addr string }

func (e *engineFlags) group() flagGroup {
	return group("ENGINE FLAGS", func(f *pflag.FlagSet) {
		f.StringVar(&e.addr, "addr", "",
			"use the engine at this `ADDRESS`, unix://… or tcp://…, instead of finding or starting one")
	})
}

// sourceFlags say where packages come from.
type sourceFlags struct{ mirror, index string }

func (s *sourceFlags) addSource(f *pflag.FlagSet) {
	f.StringVar(&s.mirror, "debian-mirror", "",
		"fetch Debian packages from this `URL`, or name=URL,… for repositories by name")
	f.StringVar(&s.index, "python-index", "",
		"resolve Python packages from the index at this `URL`, where neither requirement files nor "+
			"[[python.index]] name one (default: PyPI)")
}

// progressFlags say what to show while a build runs.
type progressFlags struct{ mode choice }

func (p *progressFlags) addProgress(f *pflag.FlagSet) {
	p.mode = choice{"auto", []string{"auto", "plain", "tty", "rawjson", "quiet"}}
	f.Var(&p.mode, "progress", "how to show what the engine does")
}
