package lamina

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lamina.build/lock"
)

func locked(packages ...string) lock.Lock {
	l := lock.Lock{Requirements: lock.Requirements{Platform: "linux/amd64"}}
	for i := 0; i < len(packages); i += 3 {
		l.Packages = append(l.Packages, lock.Package{
			Name: packages[i], Version: packages[i+1], Architecture: packages[i+2], Size: 1_500_000,
		})
	}
	return l
}

func onARM(packages ...string) lock.Lock {
	l := locked(packages...)
	l.Platform = "linux/arm64"
	return l
}

func TestSummaryOfPlatforms(t *testing.T) {
	const want = "linux/amd64: 1 Debian package, 1.5 MB\nlinux/arm64: 2 Debian packages, 3.0 MB\n4.5 MB in all\n"
	if got := Summary(lock.Join([]lock.Lock{locked("a", "1", "all"), onARM("a", "1", "all", "b", "1", "arm64")})); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestChanges(t *testing.T) {
	old := locked("bash", "5.2-1", "amd64", "dash", "0.5-1", "amd64", "gone", "1", "all")
	tests := []struct {
		name          string
		before, after lock.Lock
		want          string
	}{
		{"lock of nothing", lock.Lock{}, locked("bash", "5.2-1", "amd64"), "+ bash 5.2-1\n1 package, 1.5 MB: 1 added, 0 removed, 0 changed\n"},
		{"nothing new", old, old, "3 packages, 4.5 MB: none changed\n"},
		{
			"all kinds", old, locked("bash", "5.2-2", "amd64", "dash", "0.5-1", "amd64", "new", "2", "all"),
			"~ bash 5.2-1 → 5.2-2\n- gone 1\n+ new 2\n3 packages, 4.5 MB: 1 added, 1 removed, 1 changed\n",
		},
		{
			"two versions and a foreign architecture", locked("a", "1", "amd64"),
			locked("a", "1", "amd64", "a", "2", "amd64", "a", "1", "i386"),
			"~ a 1 → 1, 2\n+ a:i386 1\n3 packages, 4.5 MB: 1 added, 0 removed, 1 changed\n",
		},
		{
			"a further platform", locked("a", "1", "amd64", "b", "1", "amd64"), lock.Join([]lock.Lock{locked("a", "1", "amd64", "b", "1", "amd64"), onARM("a", "1", "arm64", "b", "1+b1", "arm64")}),
			"+ b on linux/arm64 1+b1\n+ platform linux/arm64\nlinux/amd64: 2 packages, 3.0 MB; linux/arm64: 2 packages, 3.0 MB: 2 added, 0 removed, 0 changed\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, Changes(tt.before, tt.after)); diff != "" {
				t.Errorf("diff of locks (-want +got):\n%s", diff)
			}
		})
	}
}

func TestChangesOfModels(t *testing.T) {
	at := func(commit, digest string) lock.Lock {
		l := locked("bash", "5.2-1", "amd64")
		l.Models = []lock.Model{{
			ModelRequest: lock.ModelRequest{From: "hf://org/name@main", Path: "/m"},
			Commit:       strings.Repeat(commit, 40), Digest: "sha256:" + strings.Repeat(digest, 64),
			Files: []lock.ModelFile{{Size: 1000}},
		}}
		return l
	}
	const want = "~ model org/name at /m aaaaaaaaaaaa 111111111111 (1 file, 1.0 kB) → bbbbbbbbbbbb 222222222222 (1 file, 1.0 kB)\n"
	if got := Changes(at("a", "1"), at("b", "2")); !strings.HasPrefix(got, want) {
		t.Errorf("got %q", got)
	}
	if got := Changes(at("a", "1"), at("a", "1")); !strings.Contains(got, "none changed") {
		t.Errorf("got %q", got)
	}
}

func TestSummary(t *testing.T) {
	full := locked("bash", "5.2-1", "amd64", "dash", "0.5-1", "amd64")
	full.Distributions = []lock.Distribution{
		{File: "a-1-py3-none-any.whl", Size: 1000},
		{File: "b-1-py3-none-any.whl", Size: 1000},
		{File: "c-1.tar.gz", Size: 500},
		{URL: "git+https://g.example/d@" + strings.Repeat("0", 40)},
	}
	full.Models = []lock.Model{{Files: []lock.ModelFile{{Size: 7_000_000_000}, {Size: 1_000_000}}}}
	for _, tt := range []struct {
		name string
		lock lock.Lock
		want string
	}{
		{"packages alone", locked("bash", "5.2-1", "amd64"), "1 Debian package, 1.5 MB\n"},
		{"all kinds", full, "2 Debian packages, 3.0 MB\n4 Python distributions, 2.5 kB: 2 wheels, 1 sdist, 1 git tree\n1 model, 7.00 GB\n7.00 GB in all\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, Summary(tt.lock)); diff != "" {
				t.Errorf("summary (-want +got):\n%s", diff)
			}
		})
	}
}

// Different content under the same name and version is a change of its own kind.
func TestChangesTellsOtherBytes(t *testing.T) {
	with := func(sum string) lock.Lock {
		return lock.Lock{Distributions: []lock.Distribution{{Name: "a", Version: "1.0", File: "a-1.0-py3-none-any.whl", SHA256: strings.Repeat(sum, 64)}}}
	}
	const want = "~ python a 1.0 → 1.0 with different content: sha256 111111111111 → 222222222222\n"
	if got := Changes(with("1"), with("2")); !strings.HasPrefix(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := Changes(with("1"), with("1")); !strings.HasSuffix(got, "none changed\n") {
		t.Errorf("got %q", got)
	}
}
