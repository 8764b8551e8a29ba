package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"lamina.build/internal/console"
	"lamina.build/internal/failure"
	"lamina.build/internal/report"
)

// app is the running program.
type app struct {
	ui  *console.Console
	env func(string) string
}

// run runs the command that args name.
func (a *app) run(ctx context.Context, args []string) error {
	var unseen error // from writing help
	root := a.root()
	root.SetArgs(args)
	root.SetOut(a.ui.Stdout())
	root.SetErr(a.ui.Stderr())
	root.SetHelpFunc(func(c *cobra.Command, args []string) {
		if c == root && len(args) > 1 { // after the flags of a build
			c, _, _ = root.Find([]string{"image"})
		}
		unseen = a.ui.Result(pageOf(c).String())
	})
	return errors.Join(root.ExecuteContext(ctx), unseen)
}

// root is "build", which runs "build image" when no command is named.
func (a *app) root() *cobra.Command {
	cobra.EnableCommandSorting = false // help lists them in the order in which users need them
	root := a.image(&cobra.Command{
		Use:   "build [image] [DIR] [flags]",
		Short: "build lean GPU container images from a short spec",
		Long: `
Lamina builds lean GPU container images. It resolves a short spec, image.toml, to a
lock of everything in the image, and builds the image from the lock: every source by
digest, every step with the network off, the same bytes on every machine.`,
		Example: `
$ build examples/faceblend                build and test it, into dist/faceblend
$ build --variant debug                   the debug variant of the spec in this directory
$ build lock && git diff image.lock       lock newer Debian packages and show them
$ build --print                           print the graph without building it`,
		Annotations: map[string]string{
			exitStatus: exitStatusText, environment: environmentText,
			learnMore: "Run \"build COMMAND --help\" for more about a command.",
		},
		SilenceErrors: true,
		SilenceUsage:  true,
		// The first argument may be a command or a directory: shells offer both.
		ValidArgsFunction: cobra.FixedCompletions(nil, cobra.ShellCompDirectiveDefault),
	})
	version := root.Flags().Bool("version", false, "")
	_ = root.Flags().MarkHidden("version") // "build version" is listed
	build := root.RunE
	root.RunE = func(c *cobra.Command, args []string) error {
		if *version {
			return a.ui.Result(report.Version())
		}
		return build(c, args)
	}
	root.SetFlagErrorFunc(badFlag)
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetHelpCommand(a.helpCommand())
	root.AddCommand(
		a.imageCommand(), a.lockCommand(), a.inspectCommand(), a.verifyCommand(), a.modelCommand(), a.vendorCommand(), a.engineCommand(),
		a.versionCommand(), a.completionCommand(), a.manCommand(),
	)
	return root
}

// family makes c a command that requires one of its subcommands.
func family(c *cobra.Command, members ...*cobra.Command) *cobra.Command {
	c.FParseErrWhitelist.UnknownFlags = true // they may belong to a misspelt subcommand
	c.ValidArgsFunction = cobra.NoFileCompletions
	if c.Annotations == nil {
		c.Annotations = map[string]string{}
	}
	c.Annotations[learnMore] = fmt.Sprintf("Run \"build %s COMMAND --help\" for more about a command.\n%s", c.Name(), seeRoot)
	c.AddCommand(members...)
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) > 0 {
			return unknown(c.Name()+" command", args[0], names(c))
		}
		return failure.WithHint(failure.New(failure.Usage, errors.New(c.Name()+" requires a command")), "run one of "+strings.Join(names(c), ", "))
	}
	return c
}

// noArgs is the [cobra.PositionalArgs] of a command that takes only flags.
func noArgs(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return failure.New(failure.Usage, fmt.Errorf("%s takes no %q", ownPath(c), args[0]))
}

// between is the [cobra.PositionalArgs] of a command that requires a number of arguments.
func between(least, most int, problem, hint string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if least <= len(args) && len(args) <= most {
			return nil
		}
		return failure.WithHint(failure.New(failure.Usage, errors.New(problem)), hint)
	}
}

// ownPath is the path of a command without the program: "engine start".
func ownPath(c *cobra.Command) string { return strings.TrimPrefix(c.CommandPath(), "build ") }

// names lists the subcommands of c.
func names(c *cobra.Command) []string {
	var list []string
	for _, member := range c.Commands() {
		if member.IsAvailableCommand() {
			list = append(list, member.Name())
		}
	}
	return list
}

func badFlag(c *cobra.Command, err error) error {
	if !c.HasParent() { // report a misspelt command rather than its flags
		if unknown := unknownWord(c, c.Flags().Args()); unknown != nil {
			return unknown
		}
	}
	missing, ok := errors.AsType[*pflag.NotExistError](err)
	if !ok {
		return failure.New(failure.Usage, err)
	}
	if missing.GetSpecifiedShortnames() != "" {
		return failure.WithHint(failure.New(failure.Usage, err), "add --help to list the flags")
	}
	var known []string
	c.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, "--"+f.Name) })
	return unknown("flag", "--"+missing.GetSpecifiedName(), known)
}

// unknownWord reports a first argument that is neither a command nor a directory. It
// leaves paths to findDir.
func unknownWord(root *cobra.Command, args []string) error {
	if len(args) == 0 || args[0] == "" || strings.ContainsAny(args[0], "/.\\") {
		return nil
	}
	if _, err := os.Stat(args[0]); err == nil {
		return nil
	}
	return unknown("command or directory", args[0], append(names(root), "help"))
}

// unknown returns the error for a word that is not among the known ones.
func unknown(what, word string, known []string) error {
	hint := report.Instead(word)
	if meant := failure.Closest(word, known, abbreviated); meant != "" && hint == "" {
		hint = fmt.Sprintf("did you mean %q?", meant)
	}
	err := fmt.Errorf("unknown %s %q", what, word)
	return failure.WithHint(failure.New(failure.Usage, err), cmp.Or(hint, "run \"build --help\" for the commands and flags"))
}

// abbreviated is the edit distance of two words, but counts a prefix of the known
// one as one edit.
func abbreviated(word, known string, limit int) int {
	if len(word) > 2 && strings.HasPrefix(known, word) {
		return 1
	}
	return failure.Distance(word, known, limit)
}
