package engine_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"lamina.build/internal/engine"
	"lamina.build/internal/failure"
)

// Programs next to a release's command are run only if they are what it was released with, byte
// for byte. All differences are reported at once.
func TestReleaseIsVerified(t *testing.T) {
	old := buildkitdOf(t, "v0.30.0")
	for _, tt := range []struct {
		name   string
		change func(t *testing.T, dir string)
		want   []string
	}{
		{"unchanged", func(*testing.T, string) {}, nil},
		{"another byte", func(t *testing.T, dir string) { write(t, dir, "buildkitd", "Buildkitd") }, []string{"buildkitd\" is not what this command was released with: its sha256 is "}},
		{"truncated", func(t *testing.T, dir string) { write(t, dir, "runc", "ru") }, []string{"runc\" is not what"}},
		{"moved without its engine", func(t *testing.T, dir string) {
			for _, name := range []string{"buildkitd", "runc", "supervisor"} {
				if err := os.Remove(filepath.Join(dir, name)); err != nil {
					t.Fatal(err)
				}
			}
		}, []string{"buildkitd\" is missing", "runc\" is missing", "supervisor\" is missing"}},
		{"from an older release", func(t *testing.T, dir string) { write(t, dir, "buildkitd", old) }, []string{"is BuildKit v0.30.0; this command was released with " + engine.Version}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			var sums []string
			for _, name := range []string{"buildkitd", "runc", "supervisor"} {
				write(t, dir, name, name)
				sums = append(sums, name+"="+digest.FromString(name).Encoded())
			}
			tt.change(t, dir)
			err := engine.VerifyRelease(dir, strings.Join(sums, ","))
			if (err == nil) != (tt.want == nil) {
				t.Fatalf("got error %v, want %q", err, tt.want)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) || failure.KindOf(err) != failure.NoEngine || !strings.Contains(strings.Join(failure.Hints(err), " "), "unpack the whole release again") {
					t.Errorf("got error %v with %q, want %q", err, failure.Hints(err), want)
				}
			}
		})
	}
}

func write(t *testing.T, dir, name, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// buildkitdOf compiles a program with a BuildKit of some version in its build info.
func buildkitdOf(t *testing.T, version string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":          "module old\nrequire github.com/moby/buildkit " + version + "\nreplace github.com/moby/buildkit => ./buildkit\n",
		"main.go":         "package main\nimport _ \"github.com/moby/buildkit\"\nfunc main() {}\n",
		"buildkit/go.mod": "module github.com/moby/buildkit\n",
		"buildkit/a.go":   "package buildkit\n",
	} {
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, dir, name, text)
	}
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", "program", ".")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOFLAGS=", "GOWORK=off", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("compiling a program: %v\n%s", err, out)
	}
	program, err := os.ReadFile(filepath.Join(dir, "program"))
	if err != nil {
		t.Fatal(err)
	}
	return string(program)
}
