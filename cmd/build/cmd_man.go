package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

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
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return failure.New(failure.Usage, errors.New("man requires one directory"))
			}
			return nil
		},
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
		if err := atomicfile.Write(filepath.Join(dir, p.file()+".1"), []byte(p.roff()), 0o644); err != nil {
			return fmt.Errorf("writing manual pages: %w", err)
		}
	}
	return a.ui.result(report.Written(dir, len(all), "manual page"))
}

// manual returns the pages of c and of all commands below it.
func manual(c *cobra.Command) []page {
	pages := []page{pageOf(c)}
	for _, member := range c.Commands() {
		if member.IsAvailableCommand() {
			pages = append(pages, manual(member)...)
		}
	}
	return pages
}

// file is the name of a page for man.
func (p page) file() string { return strings.ReplaceAll(p.command, " ", "-") }

// roff formats the page in the language of man(7).
func (p page) roff() string {
	var b strings.Builder
	fmt.Fprintf(&b, ".TH %s 1 \"\" Lamina\n.SH NAME\n%s \\- %s\n", strings.ToUpper(p.file()), plain(p.file()), plain(p.short))
	for _, s := range p.parts {
		if s.text == "" && len(s.rows) == 0 {
			continue
		}
		if s.title == usage {
			s.title = "SYNOPSIS"
		}
		fmt.Fprintf(&b, ".SH %s\n", s.title)
		for _, r := range s.rows {
			fmt.Fprintf(&b, ".TP\n.B %s\n%s\n", plain(strings.TrimSpace(r[0])), plain(r[1]))
		}
		if s.text != "" {
			fmt.Fprintf(&b, ".nf\n%s\n.fi\n", plain(strings.Trim(s.text, "\n")))
		}
		if s.title == "SYNOPSIS" {
			fmt.Fprintf(&b, ".SH DESCRIPTION\n%s\n", strings.ReplaceAll(plain(p.about), "\n\n", "\n.PP\n"))
		}
	}
	return b.String()
}

// plain escapes everything in a text that roff would interpret.
func plain(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "\n.", "\n\\&.", "\n'", "\n\\&'").Replace(text)
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "'") {
		return `\&` + text
	}
	return text
}
