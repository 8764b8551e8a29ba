package lock_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pelletier/go-toml/v2"

	"lamina.build/lock"
)

func TestParseRefusesWhatNoResolverOfPythonWrites(t *testing.T) {
	at := func(l *lock.Lock, name string) *lock.Distribution {
		for i, d := range l.Distributions {
			if d.Name == name {
				return &l.Distributions[i]
			}
		}
		t.Fatalf("no distribution is called %s", name)
		return nil
	}
	tests := []struct {
		name    string
		change  func(*lock.Lock)
		message string
	}{
		{"a name that is not normalised", func(l *lock.Lock) { at(l, "torch").Name = "Torch" }, "distribution Torch 1.0: name must be normalised"},
		{"a file with folders", func(l *lock.Lock) { at(l, "cython").File = "../x.whl" }, `file "../x.whl" is not a file's name`},
		{"no hash", func(l *lock.Lock) { at(l, "cython").SHA256 = "" }, `distribution cython 1.0: "" is not a sha256`},
		{"no size", func(l *lock.Lock) { at(l, "cython").Size = 0 }, "distribution cython 1.0: size 0 or unpacked 99 is not positive"},
		{"a login", func(l *lock.Lock) { at(l, "cython").URL = "https://me:secret@x.example/a" }, `url "https://me:xxxxx@x.example/a" holds a login`},
		{"another scheme", func(l *lock.Lock) { at(l, "cython").URL = "ftp://x.example/a" }, `url "ftp://x.example/a" is neither http nor https`},
		{"a path that escapes", func(l *lock.Lock) { at(l, "own").URL = "file:../own.whl" }, `"file:../own.whl" does not stay beside the spec`},
		{"a branch", func(l *lock.Lock) { at(l, "sam2").URL = "git+https://git.example/sam2@main" }, `"git+https://git.example/sam2@main" names no commit`},
		{"a subdirectory that escapes", func(l *lock.Lock) { at(l, "sam2").URL += "/../.." }, `subdirectory "py/../.." does not stay in its tree`},
		{"a subdirectory that escapes its archive", func(l *lock.Lock) { at(l, "insightface").URL += "#subdirectory=../x" }, `subdirectory "../x" does not stay in its archive`},
		{"a subdirectory of a wheel", func(l *lock.Lock) { at(l, "cython").URL += "#subdirectory=x" }, `subdirectory "x" does not stay in its archive`},
		{"an index with a login", func(l *lock.Lock) { at(l, "cython").Index = "https://me:secret@x.example/simple" }, `url "https://me:xxxxx@x.example/simple" holds a login`},
		{"a top-level name that is a path", func(l *lock.Lock) { at(l, "own").Top = []string{"../own"} }, `top-level name "../own" is none`},
		{"no uv", func(l *lock.Lock) { l.UV = lock.UV{} }, `uv: version "", file ""`},
		{"another uv", func(l *lock.Lock) { l.UV.SHA256 = "0" }, `sha256 "0" is none`},
		{"a uv of another scheme", func(l *lock.Lock) { l.UV.URL = "ftp://x.example/uv.whl" }, `url "ftp://x.example/uv.whl" is neither http nor https`},
		{"a set of nobody", func(l *lock.Lock) { at(l, "cython").For = []lock.Set{lock.ParseSet("python@nobody")} }, `set "python@nobody" was not asked for`},
		{"a build with an sdist", func(l *lock.Lock) {
			at(l, "insightface").For = []lock.Set{lock.ParseSet("python"), lock.ParseSet("build:insightface")}
		}, `set "build:insightface" is to build with what has to be built itself`},
		{"two versions", func(l *lock.Lock) { l.Distributions[len(l.Distributions)-1].For = []lock.Set{lock.ParseSet("python")} }, `distribution torch: set "python" holds it twice`},
		{"another order", func(l *lock.Lock) {
			l.Distributions[0], l.Distributions[1] = l.Distributions[1], l.Distributions[0]
		}, "distributions are not sorted"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := lock.Parse("image.lock", []byte(forged(tt.change)))
			if err == nil || !strings.Contains(err.Error(), tt.message) {
				t.Errorf("got error %v, want %s", err, tt.message)
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("the error tells a password: %v", err)
			}
		})
	}
}

func TestPythonInPrefersTheSetOfTheVariant(t *testing.T) {
	l := sample()
	for _, tt := range []struct {
		in   []lock.Distribution
		want []string
	}{
		{l.PythonIn("production"), []string{"insightface", "own", "sam2", "torch"}},
		{l.PythonIn("blackwell"), []string{"torch"}},
		{l.BuildIn("insightface", "debug"), []string{"cython"}},
		{l.BuildIn("insightface", "blackwell"), nil},
	} {
		var names []string
		for _, d := range tt.in {
			names = append(names, d.Name)
		}
		if diff := cmp.Diff(tt.want, names); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	if got := len(l.OmittedIn("production")) - len(l.OmittedIn("blackwell")); got != 1 {
		t.Errorf("production goes without %d more than blackwell, want 1", got)
	}
}

func TestDriftOfPythonNamesTheLine(t *testing.T) {
	spec := sample().Wishes
	spec.Python = []lock.PythonRequest{{Set: lock.ParseSet("python"), Lines: []string{"insightface==0.7.3", "torch", "numpy<2"}}, spec.Python[1]}
	want := []string{"python: the spec adds numpy<2", "python: the spec no longer has --index-url https://index.example/simple"}
	if diff := cmp.Diff(want, sample().Drift(spec)); diff != "" {
		t.Errorf("drift (-want +got):\n%s", diff)
	}
}

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

func FuzzDistributionRoundTrip(f *testing.F) {
	f.Add("torch", "2.6.0+cu124", "torch.whl", "https://x.example/torch.whl", int64(7))
	f.Add("a\"b", "\x00", "\U0001f600", "file:a/b", int64(-1))
	f.Fuzz(func(t *testing.T, name, version, file, url string, size int64) {
		l := sample()
		l.Distributions = []lock.Distribution{{Name: name, Version: version, File: file, URL: url, Size: size, SHA256: hash(name), For: []lock.Set{lock.ParseSet("python")}}}
		text := l.Format()
		got, err := lock.Parse("x", text)
		if err != nil {
			return // a lock that no resolver writes
		}
		if again := got.Format(); string(again) != string(text) {
			t.Errorf("text changed on its way through a lock: %q, then %q", text, again)
		}
	})
}

// A project may lie in a folder of an archive.
func TestFoldersOfArchives(t *testing.T) {
	l := lock.Lock{Wishes: lock.Wishes{Python: []lock.PythonRequest{{Set: lock.ParseSet("python")}}}, Distributions: []lock.Distribution{
		{Name: "near", Version: "1.0", URL: "file:near.zip#subdirectory=py", File: "near.zip", For: []lock.Set{lock.ParseSet("python")}},
		{Name: "far", Version: "1.0", URL: "https://files.example/far.zip#subdirectory=py", File: "far.zip", For: []lock.Set{lock.ParseSet("python")}},
	}}
	if local, ok := l.Distributions[0].Local(); local != "near.zip" || !ok {
		t.Errorf("the file beside the spec is %q, %v", local, ok)
	}
	text, err := l.Pylock("production", ".")
	for _, want := range []string{`path = "near.zip", subdirectory = "py", size`, `url = "https://files.example/far.zip", subdirectory = "py", size`} {
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("no %s in\n%s, %v", want, text, err)
		}
	}
}
