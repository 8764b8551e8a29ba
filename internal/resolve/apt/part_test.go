package apt

import (
	"cmp"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/containerd/containerd/v2/plugins/content/local"
	gocmp "github.com/google/go-cmp/cmp"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/internal/debian"
	"lamina.build/internal/test/enginetest"
	"lamina.build/internal/test/testworld"
	"lamina.build/lock"
)

// wholeIndexes fills a directory with the signed indexes.
func (a *archive) wholeIndexes(dir string) error {
	problems := []error{a.writeIndexes(dir)}
	for _, f := range a.files {
		of := filepath.Join(a.directory(dir, f.Release.Repository), f.Release.Dir())
		problems = append(problems,
			os.Remove(filepath.Join(of, f.PlainName())),
			os.WriteFile(filepath.Join(of, "Release"), f.Release.Text, 0o600),
			place(f.Local, filepath.Join(a.directory(dir, f.Release.Repository), f.Path)))
	}
	return errors.Join(problems...)
}

// answers returns apt's answers to one question for each set, with a directory of indexes.
func (a *archive) answers(t *testing.T, sets [][]string, indexes func(dir string) error) []answer {
	t.Helper()
	var requests []lock.Request
	for i, names := range sets {
		requests = append(requests, lock.Request{Set: lock.Set{Kind: lock.SetRuntime, Variant: fmt.Sprint(i)}, Packages: names})
	}
	list, err := questions(requests)
	if err != nil {
		t.Fatal(err)
	}
	a.part = a.index.Part(asked(requests)...)
	dir, platform := t.TempDir(), ocispec.Platform{OS: "linux", Architecture: "amd64"}
	var ls footing
	if ls.store, err = local.NewStore(filepath.Join(dir, "store")); err != nil {
		t.Fatal(err)
	}
	directories := map[string]func(string) error{"tools": func(dir string) error { return a.writeTools(t.Context(), dir) }, "indexes": indexes}
	for name, fill := range directories {
		directory := filepath.Join(dir, name)
		if err = errors.Join(os.Mkdir(directory, 0o700), fill(directory)); err != nil {
			t.Fatal(err)
		}
	}
	ls.tools, err = packDir(t.Context(), ls.store, "apt", filepath.Join(dir, "tools"), platform)
	if err == nil {
		ls.indexes, err = packDir(t.Context(), ls.store, "package indexes", filepath.Join(dir, "indexes"), platform)
	}
	if err != nil {
		t.Fatal(err)
	}
	found, err := run(t.Context(), enginetest.Client(t), ls, platform, list)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// A part of an index gets the same answers as the whole: for packages with several providers,
// for random sets, and for sets with conflicts.
func TestAPartOfTheIndexGetsTheSameAnswer(t *testing.T) {
	mirrors := testworld.RealMirrors(t)
	enginetest.Engine(t)
	// lamina-b, which is named first, has the lower number: apt takes the other one.
	own := testworld.New(t).Debian(testworld.DebianOptions{Flat: true},
		testworld.Deb{Name: "lamina", Fields: []string{"Suggests: lamina-b"}},
		testworld.Deb{Name: "lamina-a", Fields: []string{"Provides: lamina-any"}},
		testworld.Deb{Name: "lamina-asks", Fields: []string{"Depends: lamina-any"}},
		testworld.Deb{Name: "lamina-b", Fields: []string{"Provides: lamina-any"}})
	picked := [][]string{{"lamina-asks"}, {"lamina-a", "lamina-asks"}, {"exim4", "postfix"}}
	suite := cmp.Or(os.Getenv("LAMINA_REAL_SUITE"), "bookworm")
	a, err := openArchive(t.Context(), Options{
		Requirements: lock.Requirements{
			Platform: "linux/amd64", Suites: []string{suite, suite + "-backports"}, Components: []string{"main"},
			Repositories: []lock.Repository{{Name: "own", URL: own.URL, Suite: "./"}},
		},
		Keys: map[string][]byte{"own": own.Key}, Mirrors: debian.Merge(mirrors, debian.Mirrors{"own": own.URL}),
		Getter: debian.NewGetter(filepath.Join(enginetest.Options(t).CacheDir, "files")), Progress: func(string) {},
	}, "amd64")
	if err != nil {
		t.Fatal(err)
	}
	if os.Getenv("LAMINA_REAL") == "apt" {
		picked = append(picked, pick(t, a, 40)...)
	}
	want := a.answers(t, picked, a.wholeIndexes)
	together := a.answers(t, picked, a.writeIndexes)
	for i, set := range picked {
		alone := together[i : i+1]
		if len(picked) > 3 {
			alone = a.answers(t, [][]string{set}, a.writeIndexes)
		}
		q := question{set: lock.Set{Kind: lock.SetRuntime}, packages: set}
		t.Logf("%q: status %s, %d packages, of %d shown", set, strings.TrimSpace(want[i].status), strings.Count(want[i].uris, "\n"), len(a.part.All()))
		for _, got := range []answer{alone[0], together[i]} {
			if diff := gocmp.Diff(want[i].uris, got.uris); diff != "" || got.status != want[i].status {
				t.Errorf("%q: status %s, want %s (-whole +part)\n%s", set, got.status, want[i].status, diff)
			}
			if diff := gocmp.Diff(refusal(q, want[i].log).Error(), refusal(q, got.log).Error()); want[i].status != "0\n" && diff != "" {
				t.Errorf("%q: (-whole +part)\n%s", set, diff)
			}
		}
	}
	if !strings.Contains(want[0].uris, "/lamina-a_") {
		t.Errorf("got %s, want lamina-a in it", want[0].uris)
	}
}

// pick picks random sets of packages; every other one has packages that conflict.
func pick(t *testing.T, a *archive, n int) (sets [][]string) {
	t.Helper()
	var all []debian.Package
	for _, f := range a.files {
		if f.Release == a.releases[0] {
			all = append(all, read(t, f)...)
		}
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for len(sets) < n {
		var set []string
		for range 1 + len(sets)%6 {
			set = append(set, all[random.IntN(len(all))].Name)
		}
		for len(sets)%2 == 1 && len(set) < 8 {
			p := all[random.IntN(len(all))]
			for enemy := range debian.Names(p.Conflicts+","+p.Breaks, ",") {
				if enemy != p.Name && len(a.index.Candidates(enemy)) > 0 {
					set = append(set, p.Name, enemy)
					break
				}
			}
		}
		sets = append(sets, set)
	}
	return sets
}

func read(t *testing.T, f debian.IndexFile) (all []debian.Package) {
	t.Helper()
	file, err := os.Open(f.Local)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	plain, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(plain)
	if err == nil {
		err = debian.ReadPackages(text, func(_ int, p debian.Package) { all = append(all, p) })
	}
	if err != nil {
		t.Fatal(err)
	}
	return all
}
