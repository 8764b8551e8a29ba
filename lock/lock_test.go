package lock_test

import (
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
		Requirements: lock.Requirements{
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
			{Repository: "debian", Suite: "bookworm", Origin: "Debian", Date: time.Date(2026, 9, 5, 8, 12, 13, 0, time.UTC), SHA256: hash("in"), Signers: []string{"A4285295FC7B1A81600062A9605C66F00D6C9793"}},
			{Repository: "debian-security", Suite: "bookworm-security", Date: time.Date(2026, 11, 20, 1, 2, 3, 0, time.UTC), SHA256: hash("sec"), Signers: []string{"05AB90340C0C5E797F44A8C8254CF3B5AEC0A8F0"}},
		},
		Indexes:  []lock.Index{{Repository: "debian", Suite: "bookworm", Size: 9, SHA256: hash("list"), Path: "dists/bookworm/main/binary-amd64/Packages.xz"}},
		Provided: []lock.Provision{{Name: "libstdc++", By: "libstdc++6"}},
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
		Pages:   []lock.Page{{Index: "https://index.example/simple", Project: "torch", Size: 8, SHA256: hash("page")}},
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

func TestParseIsTheInverseOfFormat(t *testing.T) { survives(t, sample()) }

// survives checks that a lock survives formatting and parsing, and its text the reverse.
func survives(t *testing.T, want lock.Lock) {
	t.Helper()
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
	requirements := want.Requirements
	for _, m := range want.Models {
		requirements.Places = append(requirements.Places, lock.Place{Model: m.ModelRequest, Repository: m.Place()})
	}
	if drift := got.Drift(requirements); drift != nil {
		t.Errorf("a lock drifts from its own requirements: %q", drift)
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

// A lock without Python or models has no tables for them.
func TestFormatHasNothingOfWhatThereIsNot(t *testing.T) {
	l := sample()
	l.Python, l.Distributions, l.UV, l.Omitted = nil, nil, lock.UV{}, nil
	var tables []string
	for line := range strings.Lines(string(l.Format())) {
		if strings.HasPrefix(line, "[") {
			tables = append(tables, strings.TrimSpace(line))
		}
	}
	if diff := cmp.Diff([]string{"[debian]"}, tables); diff != "" {
		t.Errorf("tables (-want +got):\n%s", diff)
	}
}

// forged returns the text of a lock that no resolver writes, with the right digest.
func forged(change func(*lock.Lock)) string {
	l := sample()
	change(&l)
	return string(l.Format())
}

// signed puts the right digest above a body.
func signed(body string) string {
	text := string(lock.Lock{}.Format())
	first, _, _ := strings.Cut(text, "\n")
	return fmt.Sprintf("%s\ndigest   = %q\n%s", first, digest.FromString(body), body)
}
