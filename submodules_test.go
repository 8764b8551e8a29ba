package lamina

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lamina.build/llb"
)

// The index that git writes names the commits of submodules, whatever else is in it.
func TestGitlinks(t *testing.T) {
	dir, commit := t.TempDir(), strings.Repeat("0123456789", 4)
	git := func(args ...string) {
		t.Helper()
		if out, err := exec.CommandContext(t.Context(), "git", append([]string{"-C", dir}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	files, want := map[string]string{}, map[string]string{"sub": commit, "a/b": commit}
	for n := 1; n < 20; n++ { // each length of a name is filled up otherwise
		files[strings.Repeat("x", n)] = "x"
		want[strings.Repeat("s", n)] = commit
	}
	git("init", "-q")
	git("config", "index.version", "2")
	writeAll(t, dir, files)
	git("add", ".")
	for path := range want {
		git("update-index", "--add", "--cacheinfo", "160000,"+commit+","+path)
	}
	read := func() []byte {
		t.Helper()
		index, err := os.ReadFile(filepath.Join(dir, ".git", "index"))
		if err != nil {
			t.Fatal(err)
		}
		return index
	}
	whole := read()
	if got, err := gitlinks(whole); err != nil || !cmp.Equal(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
	for n := range 1000 {
		if got, err := gitlinks(whole[:n]); err == nil {
			t.Fatalf("the first %d bytes are read as %v", n, got)
		}
	}
	writeAll(t, dir, map[string]string{"new": ""})
	git("add", "--intent-to-add", "new") // a further flag
	if got, err := gitlinks(read()); err != nil || !cmp.Equal(got, want) {
		t.Errorf("version 3: got %v, %v", got, err)
	}
	git("update-index", "--index-version", "4")
	if _, err := gitlinks(read()); !errors.Is(err, errIndex) {
		t.Errorf("version 4: got %v", err)
	}
}

// Nothing in an index makes reading it fail otherwise than by an error.
func FuzzGitlinks(f *testing.F) {
	f.Add([]byte("DIRC\x00\x00\x00\x02\x00\x00\x00\x01" + strings.Repeat("\x00", 80)))
	f.Add([]byte("DIRC\x00\x00\x00\x03\xff\xff\xff\xff" + strings.Repeat("\xff", 80)))
	f.Fuzz(func(t *testing.T, index []byte) {
		commits, err := gitlinks(index)
		if err != nil && !errors.Is(err, errIndex) {
			t.Errorf("got %v, %v", commits, err)
		}
	})
}

// Submodules are where .gitmodules has them; one that has no address there can't be fetched.
func TestNamedSubmodules(t *testing.T) {
	text := `# comment
[submodule "one"]
	path = one
	url = https://other.example/one.git
[submodule "two"]
	; path = three
	Path = "deep/two"
	url = ../two.git
[submodule "none"]
	path = none
	url = https://other.example/none.git
	update = none
[submodule "gone"]
	path = gone
	url = https://other.example/gone.git
`
	commits := map[string]string{"one": "1", "deep/two": "2", "none": "3"}
	got, err := namedSubmodules(text, "https://git.example/a/b.git", commits)
	want := []llb.Submodule{{Path: "one", Remote: "https://other.example/one.git", Commit: "1"}, {Path: "deep/two", Remote: "https://git.example/a/two.git", Commit: "2"}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v, (-want +got):\n%s", err, diff)
	}
	commits["three"] = "4"
	if _, err = namedSubmodules(text, "https://git.example/a/b.git", commits); err == nil || !strings.Contains(err.Error(), `"three" has no address`) {
		t.Errorf("got %v", err)
	}
	for address, want := range map[string]string{
		"https://x.example/y": "https://x.example/y", "../y": "https://git.example/a/y", "./y": "https://git.example/a/b.git/y", "../../y": "https://git.example/y", "../../../../../../../y": "/y",
	} {
		if got := relativeTo("https://git.example/a/b.git/", address); got != want {
			t.Errorf("%s is %s, want %s", address, got, want)
		}
	}
}
