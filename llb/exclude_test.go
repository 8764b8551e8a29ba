package llb

import (
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestGlobsMatchWholePaths(t *testing.T) {
	tests := []struct {
		glob, path string
		want       bool
	}{
		{"/usr/share/doc/**", "/usr/share/doc/gcc/README", true},
		{"/usr/share/doc/**", "/usr/share/doc", false},
		{"/usr/share/doc", "/usr/share/doc/gcc", true},
		{"/usr/share/doc/*/copyright", "/usr/share/doc/gcc/copyright", true},
		{"/usr/share/doc/*/copyright", "/usr/share/doc/gcc/old/copyright", false},
		{"/usr/**/*.a", "/usr/libx.a", true},
		{"/usr/**/*.a", "/usr/lib/x86_64-linux-gnu/libc.a", true},
		{"/usr/**/*.a", "/usr/lib/libc.aa", false},
		{"/usr/lib/lib?.so", "/usr/lib/libx.so", true},
		{"/usr/lib/lib?.so", "/usr/lib/lib/.so", false},
		{"/opt/c++", "/opt/ccc", false},
	}
	for _, tt := range tests {
		re := regexp.MustCompile("^" + expandGlob(tt.glob) + "$")
		if got := re.MatchString(tt.path); got != tt.want {
			t.Errorf("%s on %s: got %v, want %v (%s)", tt.glob, tt.path, got, tt.want, re)
		}
	}
}

func TestTheLastGlobThatMatchesDecides(t *testing.T) {
	got := Exclude{"/a/**", "!/a/*/keep", "/a/x/keep"}.expression()
	want := `\( \( \( -false -o -regex '/a/.*(/.*)?' \) ! -regex '/a/[^/]*/keep(/.*)?' \) -o -regex '/a/x/keep(/.*)?' \)`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestGlobsBelowDirectories(t *testing.T) {
	all := Exclude{"/etc", "/etc/ssh/*", "/e*/x", "/**/*.key", "/app/id", "/etcetera/x", "/var/lib/db?s/machine-id", "/var/lib/dbus.old", "/usr/**/x"}
	want := Exclude{"/etc", "/etc/ssh/*", "/e*/x", "/**/*.key", "/var/lib/db?s/machine-id"}
	if diff := cmp.Diff(want, all.below("/etc/", "/var/lib/dbus/")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The shell function and Matcher agree on which paths are kept.
func TestShellKnowsWhatIsKept(t *testing.T) {
	for _, globs := range []Exclude{nil, {"/etc/munge/*"}, {"/etc/ssh", "/opt/it's/**/*.key"}} {
		matches := globs.Matcher()
		for _, p := range []string{"/etc/munge/munge.key", "/etc/munge", "/etc/ssh/a/b", "/opt/it's/x.key", "/opt/it's/a/x.key", "/opt/its/x.key", "/etc/sshd"} {
			script := globs.kept() + `if kept "$1"; then echo yes; fi`
			out, err := exec.CommandContext(t.Context(), "sh", "-euc", script, "sh", p).CombinedOutput()
			if got := string(out) == "yes\n"; err != nil || got != matches(p) {
				t.Errorf("%q keep %s: %q, %v", globs, p, out, err)
			}
		}
	}
}

func TestQuotesSurviveTheShell(t *testing.T) {
	if got, want := quoteShell("it's"), `'it'\''s'`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// tree lists the files that the globs of these tests are matched with.
var tree = []string{
	"/etc/passwd", "/opt/c++/x", "/opt/ccc/x", "/opt/it's/x", "/usr/lib/libx.a", "/usr/lib/libx.so", "/usr/lib/x86/gconv/UTF-16.so", "/usr/lib/x86/libc.a",
	"/usr/share/doc/gcc/README", "/usr/share/doc/gcc/copyright", "/usr/share/doc/gcc/old/copyright", "/usr/share/doc/index",
	"/usr/share/locale/de/LC_MESSAGES/x.mo", "/usr/share/locale/en/x.mo", "/usr/share/man/man1/x.1",
}

// lists are globs as in specs.
var lists = []Exclude{
	nil,
	{"/usr/share/doc/**"},
	{"/usr/share/doc/**", "!/usr/share/doc/*/copyright"},
	{"/usr/share/doc/**", "!/usr/share/doc/*/copyright", "/usr/share/doc/gcc/**"},
	{"/usr/share/doc", "!/usr/share/doc/gcc"},
	{"/usr/**/*.a", "/usr/share/locale/*", "!/usr/share/locale/en"},
	{"/usr/**", "!/usr/**/*.so", "/usr/lib/x86/**"},
	{"/opt/c++", "/opt/it's", "/usr/lib/lib?.a"},
	{"**", "!/etc/passwd"},
	{"!/etc/passwd"},
}

// left returns the files and directories of a tree, by their paths in it.
func left(t *testing.T, dir string) (files, directories []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if name = strings.TrimPrefix(name, dir); e.IsDir() {
			directories = append(directories, name)
		} else {
			files = append(files, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files, directories
}

// in returns the list for a tree in a directory.
func (e Exclude) in(dir string) Exclude {
	moved := make(Exclude, len(e))
	for i, glob := range e {
		rest, keep := strings.CutPrefix(glob, "!")
		if moved[i] = path.Join(dir, rest); keep {
			moved[i] = "!" + moved[i]
		}
	}
	return moved
}

// find removes from an image what the globs match, and what that leaves empty.
func TestScriptRemovesWhatTheGlobsMatch(t *testing.T) {
	if out, err := exec.CommandContext(t.Context(), "find", "--version").Output(); err != nil || !strings.Contains(string(out), "GNU") {
		t.Skip("there is no GNU find here")
	}
	for _, list := range lists {
		dir := t.TempDir()
		for _, name := range tree {
			if err := os.MkdirAll(filepath.Join(dir, path.Dir(name)), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		script := strings.ReplaceAll(list.in(dir).script(), "find / -xdev ", "find '"+dir+"' -xdev -mindepth 1 ")
		if out, err := exec.CommandContext(t.Context(), "sh", "-euc", script).CombinedOutput(); err != nil || len(out) > 0 {
			t.Fatalf("%q: %v, %s", list, err, out)
		}
		out := list.Matcher()
		want := slices.DeleteFunc(slices.Clone(tree), out)
		files, directories := left(t, dir)
		if diff := cmp.Diff(want, files); diff != "" && len(want)+len(files) > 0 {
			t.Errorf("%q leaves (-want +got):\n%s", list, diff)
		}
		for _, directory := range directories {
			isEmpty := !slices.ContainsFunc(files, func(name string) bool { return strings.HasPrefix(name, directory+"/") })
			if isEmpty && out(directory) {
				t.Errorf("%q leaves the directory %q with nothing in it", list, directory)
			}
		}
	}
}

// The copyright of a package may be behind a link to another one's directory.
func TestLinksToWhatIsTakenBackStay(t *testing.T) {
	if out, err := exec.CommandContext(t.Context(), "find", "--version").Output(); err != nil || !strings.Contains(string(out), "GNU") {
		t.Skip("there is no GNU find here")
	}
	dir := t.TempDir()
	doc := filepath.Join(dir, "doc")
	links := map[string]string{"libstdc++6": "gcc-12-base", "chained": "libstdc++6", "bare": "empty", "file": "gcc-12-base/README", "gone": "nothing", "gcc-12-base/C++": "../empty", "empty/x": "../gcc-12-base"}
	for _, name := range []string{"gcc-12-base", "empty"} {
		if err := os.MkdirAll(filepath.Join(doc, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"gcc-12-base/copyright", "gcc-12-base/README", "empty/README"} {
		if err := os.WriteFile(filepath.Join(doc, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, to := range links {
		if err := os.Symlink(to, filepath.Join(doc, name)); err != nil {
			t.Fatal(err)
		}
	}
	list := Exclude{"/doc/**", "!/doc/*/copyright"}
	script := strings.ReplaceAll(list.in(dir).script(), "find / -xdev ", "find '"+dir+"' -xdev -mindepth 1 ")
	if out, err := exec.CommandContext(t.Context(), "sh", "-euc", script).CombinedOutput(); err != nil || len(out) > 0 {
		t.Fatalf("%v, %s", err, out)
	}
	files, directories := left(t, dir)
	if diff := cmp.Diff([]string{"/doc/chained", "/doc/gcc-12-base/copyright", "/doc/libstdc++6"}, files); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"", "/doc", "/doc/gcc-12-base"}, directories); diff != "" {
		t.Errorf("directories left (-want +got):\n%s", diff)
	}
}

// The image, and a lock that asks for its wheels beforehand, decide alike.
func TestMatcherIsTheExpression(t *testing.T) {
	for _, list := range lists {
		out := list.Matcher()
		for _, name := range tree {
			want := false
			for _, glob := range list {
				rest, keep := strings.CutPrefix(glob, "!")
				if regexp.MustCompile("^" + expandGlob(rest) + "$").MatchString(name) {
					want = !keep
				}
			}
			if out(name) != want {
				t.Errorf("%q: %s is left out: %v", list, name, !want)
			}
		}
	}
}
