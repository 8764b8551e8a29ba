package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"lamina.build/internal/failure"
)

// command is one word that may follow "build".
type command struct {
	name     string
	synopsis string // one line, for the list of commands
	help     func() string
	run      func(ctx context.Context, a *app, args []string) error
}

// commands are all of them, in the order that help lists them.
func commands() []command {
	return []command{
		{"image", "build an image (what build does without a command)", imageHelp, runImage},
		{"lock", "find the packages for a spec and write image.lock", lockHelp, runLock},
		{"model", "publish the weights of a spec, or pull them, once for all builds", modelHelp, runModel},
		{"engine", "look after the engine that builds run on", engineHelp, runEngine},
		{"version", "print the versions of build, its engine and its lock format", versionHelp, runVersion},
	}
}

// app is the running program.
type app struct {
	ui  *ui
	env func(string) string
}

// dispatch runs the command that args begin with. Without one they are for
// "build image".
func (a *app) dispatch(ctx context.Context, args []string) error {
	all := commands()
	word := ""
	if len(args) > 0 {
		word = args[0]
	}
	switch word {
	case "-h", "--help":
		return a.ui.result(rootHelp(all))
	case "help":
		return a.help(all, args[1:])
	case "--version":
		word = "version"
	}
	for _, c := range all {
		if c.name == word {
			return a.execute(ctx, c, args[1:])
		}
	}
	if err := unknownWord(word, all); err != nil {
		return err
	}
	return a.execute(ctx, all[0], args)
}

func (a *app) execute(ctx context.Context, c command, args []string) error {
	err := c.run(ctx, a, args)
	if errors.Is(err, pflag.ErrHelp) {
		return a.ui.result(c.help())
	}
	return err
}

func (a *app) help(all []command, args []string) error {
	if len(args) == 0 {
		return a.ui.result(rootHelp(all))
	}
	for _, c := range all {
		if c.name == args[0] {
			return a.ui.result(c.help())
		}
	}
	return unknown("command", args[0], names(all))
}

// word is how a command of a family is called: engineCommand or modelCommand.
type word interface{ word() string }

// member finds the command of a family that args begin with.
func member[C word](family string, all []C, args []string) (found C, err error) {
	known := make([]string, len(all))
	for i, c := range all {
		known[i] = c.word()
	}
	if len(args) == 0 {
		err := failure.New(failure.Usage, errors.New(family+" needs a command"))
		return found, failure.WithHint(err, "one of "+strings.Join(known, ", "))
	}
	if args[0] == "-h" || args[0] == "--help" {
		return found, pflag.ErrHelp
	}
	i := slices.Index(known, args[0])
	if i < 0 {
		return found, unknown(family+" command", args[0], known)
	}
	return all[i], nil
}

// unknownWord reports a first word that is neither flag, command nor folder.
// A word that looks like a path is left to be reported as one.
func unknownWord(word string, all []command) error {
	if word == "" || strings.HasPrefix(word, "-") || strings.ContainsAny(word, "/.\\") {
		return nil
	}
	if _, err := os.Stat(word); err == nil { //nolint:gosec // the user names the path
		return nil
	}
	return unknown("command or folder", word, append(names(all), "help"))
}

// unknown is the error for a word that is not among the known ones.
func unknown(what, word string, known []string) error {
	err := failure.New(failure.Usage, fmt.Errorf("unknown %s %q", what, word))
	if meant := failure.Nearest(word, known, abbreviated); meant != "" {
		return failure.WithHint(err, fmt.Sprintf("did you mean %q?", meant))
	}
	return failure.WithHint(err, "\"build --help\" lists what there is")
}

// abbreviated is the distance of two words, where the beginning of the known
// one is as good as one letter wrong.
func abbreviated(word, known string, limit int) int {
	if len(word) > 2 && strings.HasPrefix(known, word) {
		return 1
	}
	return failure.Distance(word, known, limit)
}

func names(all []command) []string {
	list := make([]string, len(all))
	for i, c := range all {
		list[i] = c.name
	}
	return slices.Clip(list)
}
