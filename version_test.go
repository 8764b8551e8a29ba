package lamina

import (
	"runtime/debug"
	"testing"
)

// The version depends on what the program was built from.
func TestVersion(t *testing.T) {
	setting := func(modified string) []debug.BuildSetting {
		return []debug.BuildSetting{{Key: "vcs.revision", Value: "0123456789abcdef"}, {Key: "vcs.modified", Value: modified}}
	}
	tests := []struct {
		name string
		info *debug.BuildInfo
		want string
	}{
		{"nothing known", nil, "unknown"},
		{"release", &debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}}, "v1.2.3"},
		{"a program on the library", &debug.BuildInfo{Main: debug.Module{Version: "v9.0.0"}, Deps: []*debug.Module{{Path: "lamina.build", Version: "v1.2.3"}}}, "v1.2.3"},
		{"go run", &debug.BuildInfo{Main: debug.Module{Version: "(devel)"}}, "devel"},
		{"checkout", &debug.BuildInfo{Settings: setting("false")}, "devel 0123456789ab"},
		{"changed checkout", &debug.BuildInfo{Settings: setting("true")}, "devel 0123456789ab (modified)"},
		{
			"commit in the version",
			&debug.BuildInfo{Main: debug.Module{Version: "v0.0.0-20260102030405-0123456789ab+dirty"}, Settings: setting("true")},
			"v0.0.0-20260102030405-0123456789ab+dirty",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := versionOf(tt.info); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
