package lamina

import (
	"path/filepath"
	"strings"
	"testing"

	"lamina.build/lock"
)

// An impossible export is reported before anything is locked for it.
func TestExportsThatCantBe(t *testing.T) {
	p := minimal(t, Options{})
	for _, tt := range []struct{ variant, path, want string }{
		{"none", "-", `no variant "none"`},
		{Production, "requirements.txt", `flag --export: "requirements.txt" is not a name that other installers accept`},
		{Production, p.dir, "flag --export: "},
	} {
		if _, err := p.Pylock(t.Context(), tt.variant, "", tt.path); KindOf(err) != Usage || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s at %s: got %v, want %s", tt.variant, tt.path, err, tt.want)
		}
	}
}

func TestPlatformsOfAnExport(t *testing.T) {
	both := lock.Lock{Requirements: lock.Requirements{Platform: "linux/amd64"}, Further: []lock.Part{{Platform: "linux/arm64"}}}
	for platform, want := range map[string]string{"linux/amd64": "", "linux/arm64/v8": "", "linux/riscv64": "the lock is for linux/amd64, linux/arm64, not", "x/y/z/w": `platform "x/y/z/w"`} {
		got, err := platformOf(both, platform)
		if want == "" && (err != nil || !strings.HasPrefix(platform, got.Platform)) || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: got %s, %v", platform, got.Platform, err)
		}
	}
}

func TestADirectorySeenFromAnother(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, tt := range []struct{ from, directory, want string }{
		{".", ".", "."}, {".", "p", "p"}, {"out", "p", "../p"}, {"p/locks", "p", ".."}, {"p", filepath.Join("p", "x", "y"), "x/y"},
	} {
		if got, err := seenFrom(tt.from, tt.directory); got != tt.want || err != nil {
			t.Errorf("%s from %s is %s, %v", tt.directory, tt.from, got, err)
		}
	}
}
