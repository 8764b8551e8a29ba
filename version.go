package lamina

import (
	"runtime/debug"
	"strings"
)

// release is the version of a release, set by the linker (internal/release).
var release string

// Version returns the version of Lamina in the running program: of the release, of the
// module, or the commit if it was built from a checkout, "devel 0123456789ab (modified)".
func Version() string {
	if release != "" {
		return release
	}
	info, _ := debug.ReadBuildInfo()
	return versionOf(info)
}

func versionOf(info *debug.BuildInfo) string {
	if info == nil {
		return "unknown"
	}
	for _, d := range info.Deps { // in a program that uses the library
		if d.Path == "lamina.build" {
			return d.Version
		}
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
