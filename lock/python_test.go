package lock_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pelletier/go-toml/v2"

	"lamina.build/lock"
)

func TestPylockHasWhatOtherInstallersNeed(t *testing.T) {
	text, err := sample().Pylock("production", "../x")
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := toml.Unmarshal(text, &got); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	file := func(name, where, at string, size int64, sum string) map[string]any {
		return map[string]any{"name": name, where: at, "size": size, "hashes": map[string]any{"sha256": sum}}
	}
	archive := func(where, at string, size int64, sum string) map[string]any {
		return map[string]any{where: at, "size": size, "hashes": map[string]any{"sha256": sum}}
	}
	torch, index := "torch-2.6.0+cu124-cp311-cp311-linux_x86_64.whl", "https://index.example/simple"
	want := map[string]any{
		"lock-version": "1.0", "created-by": "lamina",
		"packages": []any{
			map[string]any{"name": "insightface", "version": "1.0", "index": index, "sdist": file("insightface-0.7.3.tar.gz", "url", "https://files.example/insightface-0.7.3.tar.gz", 77, hash("insightface-0.7.3.tar.gz"))},
			map[string]any{"name": "own", "version": "1.0", "archive": archive("path", "../x/wheels/own-1.0-py3-none-any.whl", 5, hash("own"))},
			map[string]any{"name": "sam2", "version": "1.0", "vcs": map[string]any{
				"type": "git", "url": "https://git.example/sam2", "commit-id": "0123456789012345678901234567890123456789", "subdirectory": "py",
			}},
			map[string]any{"name": "torch", "index": index, "wheels": []any{file(torch, "url", "https://files.example/"+torch, 77, hash(torch))}},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, err := (lock.Lock{}).Pylock("production", "."); err == nil {
		t.Error("a lock without Python gave a pylock.toml")
	}
}

func TestGitOfADistribution(t *testing.T) {
	for url, want := range map[string][3]string{
		"git+https://git.example/x@abc#subdirectory=py": {"https://git.example/x", "abc", "py"},
		"git+https://me@git.example/x@abc":              {"https://me@git.example/x", "abc", ""},
		"git+https://git.example/x":                     {"", "https://git.example/x", ""}, // no commit
		"https://files.example/x.zip#subdirectory=py":   {},
		"file:x.whl": {},
	} {
		remote, commit, below, ok := lock.Distribution{URL: url}.Git()
		if got := [3]string{remote, commit, below}; got != want || ok != (want != [3]string{}) {
			t.Errorf("%s: got %q, %v", url, got, ok)
		}
	}
}

// A project may be in a subdirectory of an archive.
func TestDirectoriesOfArchives(t *testing.T) {
	l := lock.Lock{Requirements: lock.Requirements{Python: []lock.PythonRequest{{Set: lock.ParseSet("python")}}}, Distributions: []lock.Distribution{
		{Name: "near", Version: "1.0", URL: "file:near.zip#subdirectory=py", File: "near.zip", For: []lock.Set{lock.ParseSet("python")}},
		{Name: "far", Version: "1.0", URL: "https://files.example/far.zip#subdirectory=py", File: "far.zip", For: []lock.Set{lock.ParseSet("python")}},
	}}
	if local, ok := l.Distributions[0].Local(); local != "near.zip" || !ok {
		t.Errorf("the file next to the spec is %q, %v", local, ok)
	}
	text, err := l.Pylock("production", ".")
	for _, want := range []string{`path = "near.zip", subdirectory = "py", size`, `url = "https://files.example/far.zip", subdirectory = "py", size`} {
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("no %s in\n%s, %v", want, text, err)
		}
	}
}
