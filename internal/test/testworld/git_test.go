package testworld_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"lamina.build/internal/test/testworld"
)

// git runs a client in a directory.
func git(t *testing.T, dir string, args ...string) error {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", args...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0"}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Logf("git %v: %s", args, out)
	}
	return err
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestGitIsCloned(t *testing.T) {
	t.Parallel()
	w := testworld.New(t)
	g := w.Git("org/app", map[string]string{"a/run.sh": "#!/bin/sh\n", "README": "one"})
	dir := filepath.Join(t.TempDir(), "clone")
	if err := git(t, ".", "clone", "--quiet", g.URL, dir); err != nil {
		t.Fatal(err)
	}
	if got := readFile(t, filepath.Join(dir, "README")); got != "one" {
		t.Errorf("got %q", got)
	}
	info, err := os.Stat(filepath.Join(dir, "a/run.sh"))
	if err != nil || info.Mode().Perm()&0o100 == 0 {
		t.Errorf("got %v, %v, want a program", info, err)
	}
	if w.Requests("/git/org/app.git/**") == 0 || w.Sent("/git/org/app.git/**") == 0 {
		t.Error("nothing was counted")
	}
}

func TestGitCommitsAreFetchedByTheirHash(t *testing.T) {
	t.Parallel()
	w := testworld.New(t)
	g := w.Git("app", map[string]string{"f": "one"})
	first := g.Commit
	second := g.Push(map[string]string{"f": "two"})
	g.Run("tag", "v2")
	if first == second || g.Commit != second || g.Run("rev-parse", "main", "v2") != second+"\n"+second {
		t.Errorf("got %s, %s, %s", first, second, g.Commit)
	}
	dir := t.TempDir()
	for _, args := range [][]string{
		{"init", "--quiet"},
		{"fetch", "--quiet", "--depth=1", g.URL, first},
		{"checkout", "--quiet", "FETCH_HEAD"},
	} {
		if err := git(t, dir, args...); err != nil {
			t.Fatal(err)
		}
	}
	if got := readFile(t, filepath.Join(dir, "f")); got != "one" {
		t.Errorf("got %q", got)
	}
}

func TestGitCommitsAreTheSameEachTime(t *testing.T) {
	t.Parallel()
	files := map[string]string{"f": "one", "d/g": "two"}
	a := testworld.New(t).Git("app", files)
	b := testworld.New(t).Git("app", files)
	if a.Commit != b.Commit || a.Commit == "" {
		t.Errorf("got %s and %s", a.Commit, b.Commit)
	}
}

func TestGitLinks(t *testing.T) {
	t.Parallel()
	g := testworld.New(t).Git("app", map[string]string{"d/f": "one"})
	g.Symlink("old/f", "../d/f")
	g.Push(nil)
	dir := filepath.Join(t.TempDir(), "clone")
	if err := git(t, ".", "clone", "--quiet", g.URL, dir); err != nil {
		t.Fatal(err)
	}
	if got, err := os.Readlink(filepath.Join(dir, "old/f")); got != "../d/f" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestGitFails(t *testing.T) {
	t.Parallel()
	w := testworld.New(t)
	g := w.Git("app", map[string]string{"f": "one"})
	for name, fault := range map[string]testworld.Fault{
		"status": testworld.Status(503, 1), "cut": testworld.Cut(1), "wrong": testworld.Wrong(testworld.Always),
	} {
		w.Fail("/git/app.git/git-upload-pack", fault)
		if err := git(t, ".", "clone", "--quiet", g.URL, filepath.Join(t.TempDir(), "clone")); err == nil {
			t.Errorf("%s: got a clone", name)
		}
	}
	w.Heal()
	w.Protect("git", "me", "pw")
	if err := git(t, ".", "clone", "--quiet", g.URL, filepath.Join(t.TempDir(), "clone")); err == nil {
		t.Error("got a clone without a password")
	}
}
