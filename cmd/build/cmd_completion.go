package main

import "github.com/spf13/cobra"

var shells = []string{"bash", "zsh", "fish", "powershell"}

func (a *app) completionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "completion bash|zsh|fish|powershell",
		Short: "print a completion script for a shell",
		Long: `
Print a script with which a shell completes what is typed after "build": commands, flags
and their values, directories, and the variants of the spec that the command is about.`,
		Example: `
$ source <(build completion bash)
$ build completion zsh > "${fpath[1]}/_build"
$ build completion fish > ~/.config/fish/completions/build.fish
PS> build completion powershell | Out-String | Invoke-Expression`,
		ValidArgs: shells,
		Args:      between(1, 1, "completion requires the name of a shell", "name one of bash, zsh, fish, powershell"),
		RunE: func(c *cobra.Command, args []string) error {
			switch out := a.ui.Stdout(); args[0] {
			case "bash":
				return c.Root().GenBashCompletionV2(out, true)
			case "zsh":
				return c.Root().GenZshCompletion(out)
			case "fish":
				return c.Root().GenFishCompletion(out, true)
			case "powershell":
				return c.Root().GenPowerShellCompletionWithDesc(out)
			}
			return unknown("shell", args[0], shells)
		},
	}
}
