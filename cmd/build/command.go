package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"lamina.build/internal/failure"
)

// app is the running program.
type app struct {
	ui  *ui
	env func(string) string
}

// run does what args say.
func (a *app) run(ctx context.Context, args []string) error {
	var unseen error // help that can't be written
	root := a.root()
	root.SetArgs(args)
	root.SetOut(a.ui.stdout)
	root.SetErr(a.ui.stderr)
	root.SetHelpFunc(func(c *cobra.Command, args []string) {
		if c == root && len(args) > 1 { // after the flags of a build
			c, _, _ = root.Find([]string{"image"})
		}
		unseen = a.ui.result(pageOf(c).String())
	})
	return errors.Join(root.ExecuteContext(ctx), unseen)
}

// root is "build", which without a command's name is "build image".
func (a *app) root() *cobra.Command {
	cobra.EnableCommandSorting = false // help has them in the order of a user's way
	root := a.image(&cobra.Command{
		Use:   "build [image] [DIR] [flags]",
		Short: "build lean GPU container images from a short spec",
		Long: `
Lamina builds lean GPU container images. It turns a short spec, image.toml, into
a lock of everything that the image is made of, and the lock into an image: by
digest, with the network off, the same bytes on every machine.`,
		Example: `
$ build examples/faceblend                build, test and keep it in dist/faceblend
$ build --variant debug                   the spec of this directory, with a debugger in
$ build lock && git diff image.lock       newer packages, and which they are
$ build --print                           the graph, without building it`,
		Annotations: map[string]string{
			exitStatus: exitStatusText, environment: environmentText,
			learnMore: "\"build COMMAND --help\" says more about each command.",
		},
		SilenceErrors: true,
		SilenceUsage:  true,
		// A directory is as good as a command: shells offer both.
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveDefault
		},
	})
	version := root.Flags().Bool("version", false, "")
	_ = root.Flags().MarkHidden("version") // it is there
	build := root.RunE
	root.RunE = func(c *cobra.Command, args []string) error {
		if *version {
			return a.printVersion()
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

// family makes c a command that is nothing without one of its members.
func family(c *cobra.Command, members ...*cobra.Command) *cobra.Command {
	c.FParseErrWhitelist.UnknownFlags = true // a member's, where its name is misspelt
	c.ValidArgsFunction = cobra.NoFileCompletions
	if c.Annotations == nil {
		c.Annotations = map[string]string{}
	}
	c.Annotations[learnMore] = fmt.Sprintf("\"build %s COMMAND --help\" says more about each command.\n%s", c.Name(), seeRoot)
	c.AddCommand(members...)
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) > 0 {
			return unknown(c.Name()+" command", args[0], names(c))
		}
		err := failure.New(failure.Usage, errors.New(c.Name()+" needs a command"))
		return failure.WithHint(err, "one of "+strings.Join(names(c), ", "))
	}
	return c
}

// noArgs is the [cobra.PositionalArgs] of a command that takes flags alone.
func noArgs(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return failure.New(failure.Usage, fmt.Errorf("%s takes no %q", ownPath(c), args[0]))
}

// ownPath is how a command is called, without the program: "engine start".
func ownPath(c *cobra.Command) string { return strings.TrimPrefix(c.CommandPath(), "build ") }

// names are the commands that may follow c.
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
	if !c.HasParent() { // a misspelt command is not an error of its flags
		if unknown := unknownWord(c, c.Flags().Args()); unknown != nil {
			return unknown
		}
	}
	missing, ok := errors.AsType[*pflag.NotExistError](err)
	if !ok {
		return failure.New(failure.Usage, err)
	}
	if missing.GetSpecifiedShortnames() != "" {
		return failure.WithHint(failure.New(failure.Usage, err), "add --help for the flags that there are")
	}
	var known []string
	c.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, "--"+f.Name) })
	return unknown("flag", "--"+missing.GetSpecifiedName(), known)
}

// unknownWord reports a first word that is neither command nor directory. One that
// looks like a path is left to be reported as one.
func unknownWord(root *cobra.Command, args []string) error {
	if len(args) == 0 || args[0] == "" || strings.ContainsAny(args[0], "/.\\") {
		return nil
	}
	if _, err := os.Stat(args[0]); err == nil {
		return nil
	}
	return unknown("command or directory", args[0], append(names(root), "help"))
}

// unknown is the error for a word that is not among the known ones.
func unknown(what, word string, known []string) error {
	err := failure.New(failure.Usage, fmt.Errorf("unknown %s %q", what, word))
	if meant := failure.Closest(word, known, abbreviated); meant != "" {
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
