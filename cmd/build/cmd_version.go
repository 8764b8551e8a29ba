package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

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
	info, _ := debug.ReadBuildInfo()
	return a.ui.result(versionText(info))
}

func versionText(info *debug.BuildInfo) string {
	return fmt.Sprintf("build   %s\nengine  BuildKit %s\nlock    format %d\ngo      %s %s/%s\n",
		ownVersion(info), engine.Version, lock.Version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// release is the version of a release. The linker sets it (internal/release).
var release string

// ownVersion is that of the release, the module's, or the commit where it was built from a
// checkout.
func ownVersion(info *debug.BuildInfo) string {
	if release != "" {
		return release
	}
	if info == nil {
		return "unknown"
	}
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	version := info.Main.Version
	if version == "" || version == "(devel)" {
		version = "devel"
	}
	commit := settings["vcs.revision"]
	if commit = commit[:min(12, len(commit))]; commit != "" && !strings.Contains(version, commit) {
		version += " " + commit
	}
	if settings["vcs.modified"] == "true" && !strings.HasSuffix(version, "+dirty") {
		version += " (modified)"
	}
	return version
}
