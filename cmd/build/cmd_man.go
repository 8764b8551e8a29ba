package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"lamina.build/internal/atomicfile"
	"lamina.build/internal/failure"
	"lamina.build/internal/report"
)

func (a *app) manCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "man DIR",
		Short: "write a manual page for each command to a directory",
		Long: `
Write the manual pages, build.1 and one for each command, to a directory: the text of
--help, for man.`,
		Example: `
$ build man ~/.local/share/man/man1
$ man build-lock`,
		Args:              between(1, 1, "man requires one directory", ""),
		ValidArgsFunction: oneDir,
		RunE:              func(c *cobra.Command, args []string) error { return a.writeManual(c.Root(), args[0]) },
	}
}

func (a *app) writeManual(root *cobra.Command, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // world-readable
		return failure.New(failure.Usage, fmt.Errorf("writing manual pages: %w", err))
	}
	all := manual(root)
	for _, p := range all {
		if err := atomicfile.Write(filepath.Join(dir, p.File()+".1"), []byte(p.Roff()), 0o644); err != nil {
			return fmt.Errorf("writing manual pages: %w", err)
		}
	}
	return a.ui.Result(report.Written(dir, len(all), "manual page"))
}

// manual returns the pages of c and of all commands below it.
func manual(c *cobra.Command) []report.Page {
	pages := []report.Page{pageOf(c)}
	for _, member := range c.Commands() {
		if member.IsAvailableCommand() {
			pages = append(pages, manual(member)...)
		}
	}
	return pages
}
