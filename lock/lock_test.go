package lock_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/opencontainers/go-digest"

	"lamina.build/lock"
)

func sample() lock.Lock {
	l := lock.Lock{
		Wishes: lock.Wishes{
			Platform:   "linux/amd64",
			Suites:     []string{"bookworm", "bookworm-security"},
			Components: []string{"main", "non-free"},
			Repositories: []lock.Repository{{
				Name: "cuda", URL: "https://cuda.example/debian12", Suite: "./", Key: digest.FromString("key"),
			}},
			Requests: []lock.Request{
				{Set: lock.ParseSet("base"), Packages: []string{"?essential", "usr-is-merged"}},
				{Set: lock.ParseSet("extra@debug"), Packages: []string{"gdb"}},
				{Set: lock.ParseSet("runtime"), Packages: []string{"python3"}},
			},
			Python: []lock.PythonRequest{
				{Set: lock.ParseSet("python"), Lines: []string{"--index-url https://index.example/simple", "insightface==0.7.3", "torch"}},
				{Set: lock.ParseSet("python@blackwell"), Lines: []string{"torch==2.7.1"}},
			},
		},
		Releases: []lock.Release{
			{Repository: "debian", Suite: "bookworm", Date: time.Date(2026, 9, 5, 8, 12, 13, 0, time.UTC), SHA256: hash("in"), Signers: []string{"A4285295FC7B1A81600062A9605C66F00D6C9793"}},
			{Repository: "debian-security", Suite: "bookworm-security", Date: time.Date(2026, 11, 20, 1, 2, 3, 0, time.UTC), SHA256: hash("sec"), Signers: []string{"05AB90340C0C5E797F44A8C8254CF3B5AEC0A8F0"}},
		},
		Packages: []lock.Package{
			deb("zlib1g", "1:1.2.13.dfsg-1", "base", "runtime"),
			deb("adduser", "3.134", "base", "runtime"),
			deb("gdb", "13.1-3", "extra@debug"),
			deb("libstdc++6", "12.2.0-14", "runtime"),
		},
		Distributions: []lock.Distribution{
			dist("torch", "torch-2.6.0+cu124-cp311-cp311-linux_x86_64.whl", "python"),
			dist("torch", "torch-2.7.1-cp311-cp311-linux_x86_64.whl", "python@blackwell"),
			dist("insightface", "insightface-0.7.3.tar.gz", "python"),
			dist("cython", "Cython-3.0-py3-none-any.whl", "build:insightface"),
			{Name: "sam2", Version: "1.0", URL: "git+https://git.example/sam2@0123456789012345678901234567890123456789#subdirectory=py", For: []lock.Set{lock.ParseSet("python")}},
			{Name: "own", Version: "1.0", URL: "file:wheels/own-1.0-py3-none-any.whl", File: "own-1.0-py3-none-any.whl", Size: 5, SHA256: hash("own"), Top: []string{"own", "own.py"}, For: []lock.Set{lock.ParseSet("python")}},
		},
		UV:      lock.UV{Version: "0.13.9", File: "uv-0.13.9-py3-none-any.whl", URL: "https://files.example/uv.whl", Size: 19, SHA256: hash("uv")},
		Omitted: []lock.Omission{{Set: lock.ParseSet("python"), Requirement: "flash-attn", Reason: "no version fits"}},
	}
	l.Sort()
	return l
}

func deb(name, version string, sets ...string) lock.Package {
	return lock.Package{
		Name: name, Version: version, Architecture: "amd64", Repository: "debian",
		Path: "pool/main/" + name[:1] + "/" + name + "/" + name + "_amd64.deb",
		Size: 1234, SHA256: hash(name), For: setsOf(sets),
	}
}

func dist(name, file string, sets ...string) lock.Distribution {
	return lock.Distribution{
		Name: name, Version: "1.0", File: file, URL: "https://files.example/" + file,
		Index: "https://index.example/simple", Size: 77, SHA256: hash(file), Unpacked: 99, For: setsOf(sets),
	}
}

func setsOf(texts []string) []lock.Set {
	var sets []lock.Set
	for _, text := range texts {
		sets = append(sets, lock.ParseSet(text))
	}
	return sets
}

func hash(s string) string { return digest.FromString(s).Encoded() }

func TestParseIsTheInverseOfFormat(t *testing.T) {
	want := sample()
	text := want.Format()
	got, err := lock.Parse("image.lock", text)
	if err != nil {
		t.Fatalf("parsing what Format wrote: %v\n%s", err, text)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("lock changed on its way through text (-want +got):\n%s", diff)
	}
	if again := got.Format(); string(again) != string(text) {
		t.Errorf("text changed on its way through a lock:\n%s", cmp.Diff(string(text), string(again)))
	}
}

func TestFormatHasOneLineAnEntry(t *testing.T) {
	text := string(sample().Format())
	for _, want := range []string{
		`  { name = "adduser", version = "3.134", arch = "amd64", repository = "debian", size = 1234, sha256 = "` + hash("adduser") + `", path = "pool/main/a/adduser/adduser_amd64.deb", for = ["base", "runtime"] },` + "\n",
		`  { set = "extra@debug", packages = ["gdb"] },` + "\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no line %s in\n%s", want, text)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	text := string(sample().Format())
	tests := []struct {
		name, text, message string
		is                  error
	}{
		{"a newer version", strings.Replace(text, "version  = 2", "version  = 3", 1), "image.lock: unknown lock version: 3, this program reads 2", lock.ErrVersion},
		{"an earlier version", formatOne(), "image.lock: the lock has an earlier format: 1, this program builds from 2", lock.ErrOld},
		{"no version", "", "image.lock: unknown lock version: 0, this program reads 2", lock.ErrVersion},
		{"an edit", strings.Replace(text, `"3.134"`, `"3.135"`, 1), "image.lock: lock was changed after it was written", lock.ErrEdited},
		{"half an array", text[:len(text)-len("]\n")-20], "image.lock:", nil},
		{"a missing last line", strings.TrimSuffix(text, "\n"), "image.lock: lock was changed after it was written", lock.ErrEdited},
		{"no TOML", "version = 1\n=", "image.lock:2:1: ", nil},
		{"an unknown key", signed("version  = 2\nplatform = \"linux/amd64\"\ncolour = \"red\"\n"), `image.lock:5:1: unknown key "colour"`, nil},
		{"a path that escapes", forged(func(l *lock.Lock) { l.Packages[0].Path = "../x.deb" }), `image.lock: package adduser 3.134: path "../x.deb" does not stay below the repository`, nil},
		{"a hash that is none", forged(func(l *lock.Lock) { l.Packages[0].SHA256 = "abc" }), `image.lock: package adduser 3.134: "abc" is not a sha256`, nil},
		{"a set that nobody asked for", forged(func(l *lock.Lock) { l.Packages[0].For = []lock.Set{lock.ParseSet("nobody")} }), `image.lock: package adduser 3.134: set "nobody" was not asked for`, nil},
		{"another order", forged(func(l *lock.Lock) { l.Packages[0], l.Packages[1] = l.Packages[1], l.Packages[0] }), "image.lock: packages are not sorted by name, version and architecture", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := lock.Parse("image.lock", []byte(tt.text))
			if err == nil || !strings.HasPrefix(err.Error(), tt.message) {
				t.Errorf("got error %v, want %s", err, tt.message)
			}
			if tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("error %v does not match %v", err, tt.is)
			}
		})
	}
}

// forged is the text of a lock that no resolver writes, with the right digest.
func forged(change func(*lock.Lock)) string {
	l := sample()
	change(&l)
	return string(l.Format())
}

// signed puts a right digest above a body.
func signed(body string) string {
	text := string(lock.Lock{}.Format())
	first, _, _ := strings.Cut(text, "\n")
	return fmt.Sprintf("%s\ndigest   = %q\n%s", first, digest.FromString(body), body)
}

func TestDriftNamesEachDifference(t *testing.T) {
	tests := []struct {
		name   string
		change func(*lock.Wishes)
		want   []string
	}{
		{"none", func(*lock.Wishes) {}, nil},
		{"platform", func(w *lock.Wishes) { w.Platform = "linux/arm64" }, []string{"platform: the lock is for linux/amd64, the spec wants linux/arm64"}},
		{"suite added", func(w *lock.Wishes) { w.Suites = append(w.Suites, "bookworm-updates") }, []string{"suites: the spec adds bookworm-updates"}},
		{"components in another order", func(w *lock.Wishes) { w.Components = []string{"non-free", "main"} }, []string{"components: the spec orders them non-free, main"}},
		{"package added", func(w *lock.Wishes) { w.Requests[2].Packages = []string{"python3", "python3-numpy"} }, []string{"runtime: the spec adds python3-numpy"}},
		{"package gone", func(w *lock.Wishes) { w.Requests[2].Packages = nil }, []string{"runtime: the spec no longer has python3"}},
		{"set added", func(w *lock.Wishes) {
			w.Requests = append(w.Requests, lock.Request{Set: lock.ParseSet("builder"), Packages: []string{"cmake", "g++"}})
		}, []string{"builder: not locked yet (cmake, g++)"}},
		{"set gone", func(w *lock.Wishes) { w.Requests = w.Requests[:2] }, []string{"runtime: the spec no longer asks for it"}},
		{"another key", func(w *lock.Wishes) { w.Repositories[0].Key = digest.FromString("new") }, []string{"repositories: cuda has another url, suite, component or key"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			spec := sample().Wishes
			tt.change(&spec)
			if diff := cmp.Diff(tt.want, sample().Drift(spec)); diff != "" {
				t.Errorf("drift (-want +got):\n%s", diff)
			}
		})
	}
}

func TestInPrefersTheSetOfTheVariant(t *testing.T) {
	l := sample()
	l.Requests = append(l.Requests, lock.Request{Set: lock.ParseSet("runtime@blackwell")})
	l.Packages[0].For = append(l.Packages[0].For, lock.ParseSet("runtime@blackwell"))
	names := func(kind lock.Kind, variant string) (list []string) {
		for _, p := range l.In(kind, variant) {
			list = append(list, p.Name)
		}
		return list
	}
	for _, tt := range []struct {
		kind    lock.Kind
		variant string
		want    []string
	}{
		{"runtime", "production", []string{"adduser", "libstdc++6", "zlib1g"}},
		{"runtime", "blackwell", []string{"adduser"}},
		{"extra", "debug", []string{"gdb"}},
		{"extra", "production", nil},
	} {
		if diff := cmp.Diff(tt.want, names(tt.kind, tt.variant)); diff != "" {
			t.Errorf("In(%q, %q) (-want +got):\n%s", tt.kind, tt.variant, diff)
		}
	}
}

func TestCreatedIsTheNewestRelease(t *testing.T) {
	if got, want := sample().Created(), time.Date(2026, 11, 20, 1, 2, 3, 0, time.UTC); !got.Equal(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func FuzzParseOfFormatIsIdentity(f *testing.F) {
	f.Add("adduser", "3.134", "pool/x.deb", int64(1))
	f.Add("\"\\\x01", "1:2~3+b1", "a/\U0001f600", int64(9))
	f.Fuzz(func(t *testing.T, name, version, path string, size int64) {
		l := sample()
		l.Packages = []lock.Package{{Name: name, Version: version, Architecture: "all", Repository: "debian", Path: path, Size: size, SHA256: hash(name), For: []lock.Set{lock.ParseSet("base")}}}
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

func FuzzParseNeverPanics(f *testing.F) {
	f.Add(sample().Format())
	f.Add([]byte("version = 1\n[debian]\npackages = [{}]"))
	f.Fuzz(func(_ *testing.T, text []byte) { _, _ = lock.Parse("x", text) })
}

func BenchmarkParse(b *testing.B) {
	l := sample()
	for i := range 1000 {
		l.Packages = append(l.Packages, deb(fmt.Sprintf("package%04d", i), "1", "base"))
	}
	l.Sort()
	text := l.Format()
	for b.Loop() {
		if _, err := lock.Parse("x", text); err != nil {
			b.Fatal(err)
		}
	}
}

// formatOne is a lock as the first format had it.
func formatOne() string {
	return signed("version  = 1\nplatform = \"linux/amd64\"\n\n[debian]\nsuites     = [\"bookworm\"]\ncomponents = [\"main\"]\n\n[python]\nrequests = [\n" +
		"  { set = \"python\", lines = [\"alpha\"] },\n]\ndistributions = [\n  { name = \"alpha\", version = \"1.0\", size = 7, sha256 = \"" + hash("alpha") +
		"\", file = \"alpha-1.0-py3-none-any.whl\", url = \"https://files.example/alpha-1.0-py3-none-any.whl\", unpacked = 9, for = [\"python\"] },\n]\n")
}

// What an earlier format locked is read for its versions, and written in this one.
func TestParseOldReadsEveryFormat(t *testing.T) {
	for name, text := range map[string]string{"format 1": formatOne(), "format 2": string(sample().Format())} {
		l, err := lock.ParseOld("image.lock", []byte(text))
		if err != nil || len(l.Distributions) == 0 || len(l.Python) == 0 {
			t.Errorf("%s: %d distributions, error %v", name, len(l.Distributions), err)
		}
	}
	edited := strings.Replace(formatOne(), "alpha-1.0", "alpha-2.0", 1)
	if _, err := lock.ParseOld("image.lock", []byte(edited)); !errors.Is(err, lock.ErrEdited) {
		t.Errorf("of an edited lock came %v", err)
	}
}
