package release

import (
	"bytes"
	"debug/buildinfo"
	"debug/elf"
	"debug/macho"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"lamina.build/internal/test/e2etest"
)

// The release of every platform is packed to the end. Its programs are for the platform and
// need no C library, except for Debian's runc, and each has its licence.
func TestRealReleaseOfEachPlatform(t *testing.T) {
	if os.Getenv("LAMINA_REAL") != "releases" {
		t.Skip("LAMINA_REAL=releases compiles the command for three platforms and the engine for two")
	}
	platforms := map[string][]string{
		"linux/amd64": {"build", "buildkitd", "runc", "supervisor"}, "linux/arm64": {"build", "buildkitd", "runc", "supervisor"}, "darwin/arm64": {"build"},
	}
	for platform, want := range platforms { // each can be run alone
		t.Run(platform, func(t *testing.T) {
			place := unpack(t, platform, pack(t, e2etest.Root(t), []string{platform})[platform])
			entries, err := os.ReadDir(place)
			if err != nil {
				t.Fatal(err)
			}
			var programs []string
			for _, e := range entries {
				info, err := e.Info()
				if err != nil {
					t.Fatal(err)
				}
				if info.Mode().IsRegular() && info.Mode().Perm() == 0o755 {
					programs = append(programs, e.Name())
				}
			}
			if !slices.Equal(programs, want) {
				t.Errorf("it has the programs %q", programs)
			}
			for _, name := range programs {
				checkProgram(t, platform, filepath.Join(place, name))
			}
			for _, licence := range []string{"go", "github.com/spf13/cobra@*"} {
				if found, err := filepath.Glob(filepath.Join(place, "licences", filepath.FromSlash(licence), "*")); err != nil || len(found) == 0 {
					t.Errorf("no licence of %s: %v", licence, err)
				}
			}
		})
	}
}

// checkProgram checks what a program runs on.
func checkProgram(t *testing.T, platform, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	system, arch, _ := strings.Cut(platform, "/")
	name := filepath.Base(path)
	if system == "darwin" {
		f, problem := macho.NewFile(bytes.NewReader(data))
		if problem != nil || f.Cpu != macho.CpuArm64 || f.Type != macho.TypeExec {
			t.Errorf("%s: %s is no program of a Mac: %v", platform, name, problem)
		}
	} else {
		f, problem := elf.NewFile(bytes.NewReader(data))
		if want := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}[arch]; problem != nil || f.Machine != want {
			t.Fatalf("%s: %s is no program of Linux: %v", platform, name, problem)
		}
		if isDynamic := slices.ContainsFunc(f.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP }); isDynamic != (name == "runc") {
			t.Errorf("%s: %s has a dynamic loader: %t", platform, name, isDynamic)
		}
	}
	if name == "runc" { // of Debian, with its own settings
		return
	}
	info, err := buildinfo.Read(bytes.NewReader(data))
	if err != nil {
		t.Fatalf("%s: %s: %v", platform, name, err)
	}
	for _, want := range []debug.BuildSetting{{Key: "CGO_ENABLED", Value: "0"}, {Key: "GOOS", Value: system}, {Key: "GOARCH", Value: arch}} {
		if !slices.Contains(info.Settings, want) {
			t.Errorf("%s: %s was not compiled with %s=%s", platform, name, want.Key, want.Value)
		}
	}
}
