package main

import (
	"github.com/spf13/cobra"

	"lamina.build/internal/report"
)

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "version",
		Short:             "print the versions of build, its engine and its lock format",
		Long:              "Print the versions of build, of the engine that it is made for, and of the lock format that it writes.",
		Example:           "$ build version",
		Args:              noArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(*cobra.Command, []string) error { return a.ui.Result(report.Version()) },
	}
}
