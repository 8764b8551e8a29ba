package lamina

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A repository is read without running anything that it configures: no filter, no fetch.
func TestCommitOfAHostileRepository(t *testing.T) {
	dir, ran := t.TempDir(), filepath.Join(t.TempDir(), "ran")
	git := func(args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "git", append([]string{"-C", dir, "-c", "user.name=x", "-c", "user.email=x@example"}, args...)...)
		cmd.Env = append(cmd.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v: %s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	git("init", "-q")
	write("a", "one")
	write("b", "one")
	write(".gitattributes", "a filter=evil\nb filter=a=b\n")
	git("add", ".")
	git("commit", "-q", "-m", "first")
	write("a", "two") // of the same size: its content decides
	write("b", "two")
	program := "touch " + ran + "; cat"
	git("config", "filter.evil.clean", program)
	git("config", "filter.evil.required", "true")
	git("config", "filter.a=b.process", program)
	write(".git/further", "[filter \"a=b\"]\n\tclean = "+program+"\n")
	git("config", "include.path", "further")
	git("config", "core.fsmonitor", program)
	s, err := commitOf(t.Context(), dir, gitTime)
	if err != nil || s.Commit != git("rev-parse", "HEAD") || !s.Dirty {
		t.Errorf("got %+v, %v", s, err)
	}
	if _, err = os.Stat(ran); err == nil {
		t.Error("a program that the repository configures was run")
	}
	write("a", "one")
	write("b", "one")
	if s, err = commitOf(t.Context(), dir, gitTime); err != nil || s.Dirty {
		t.Errorf("nothing is changed: got %+v, %v", s, err)
	}
	if _, err = os.Stat(ran); err == nil {
		t.Error("a program was run over unchanged files")
	}
	if _, err = commitOf(t.Context(), t.TempDir(), gitTime); err == nil {
		t.Error("a directory without a repository has a commit")
	}
	if err = errors.Join(os.Remove(filepath.Join(dir, ".git/further")), unix.Mkfifo(filepath.Join(dir, ".git/further"), 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, err = commitOf(t.Context(), dir, 10*time.Millisecond); err == nil || err.Error() != "git took longer than 0.01 s" {
		t.Errorf("behind a FIFO: got %v", err)
	}
}
