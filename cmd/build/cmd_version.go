package main

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"lamina.build"

	"lamina.build/internal/engine"
	"lamina.build/lock"
)

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "print the versions of build, its engine and its lock format",
		Long: "Print the versions of build, of the engine that it is made for, and of the lock " +
			"format that it writes.",
		Example:           "$ build version",
		Args:              noArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(*cobra.Command, []string) error { return a.printVersion() },
	}
}

func (a *app) printVersion() error {
	return a.ui.result(fmt.Sprintf("build   %s\nengine  BuildKit %s\nlock    format %d\ngo      %s %s/%s\n",
		lamina.Version(), engine.Version, lock.Version, runtime.Version(), runtime.GOOS, runtime.GOARCH))
}
