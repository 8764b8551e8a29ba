package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"lamina.build/internal/engine"
	"lamina.build/internal/failure"
	"lamina.build/lock"
)

func versionHelp() string {
	return page{
		about: "Print the versions of build, of the engine that it is made for, and of the lock " +
			"format that it writes.",
		usage:    []string{"build version"},
		examples: "$ build version",
		more:     learnMore(),
	}.String()
}

func runVersion(_ context.Context, a *app, args []string) error {
	rest, err := parse(nil, args)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return failure.New(failure.Usage, fmt.Errorf("version takes no %q", rest[0]))
	}
	info, _ := debug.ReadBuildInfo()
	return a.ui.result(versionText(info))
}

func versionText(info *debug.BuildInfo) string {
	return fmt.Sprintf("build   %s\nengine  BuildKit %s\nlock    format %d\ngo      %s %s/%s\n",
		ownVersion(info), engine.Version, lock.Version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// ownVersion is the module's version, or the commit where it was built from a
// checkout.
func ownVersion(info *debug.BuildInfo) string {
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
