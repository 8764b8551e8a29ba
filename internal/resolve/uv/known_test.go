package uv

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lamina.build/internal/failure"
	"lamina.build/lock"
)

// builtWith returns a lock of some distributions, with a builder of some packages.
func builtWith(packages []string, dists ...lock.Distribution) lock.Lock {
	var l lock.Lock
	for _, name := range packages {
		l.Packages = append(l.Packages, lock.Package{Name: name, For: []lock.Set{{Kind: lock.SetBuilder}}})
	}
	for _, d := range dists {
		d.For = []lock.Set{{Kind: lock.SetPython}}
		l.Distributions = append(l.Distributions, d)
	}
	return l
}

// named returns a distribution of a lock.
func named(name, file string) lock.Distribution {
	return lock.Distribution{Name: name, Version: "1.0", File: file}
}

func TestCheckBuilders(t *testing.T) {
	insightface, dlib, sam := named("insightface", "insightface-0.7.3.tar.gz"), named("dlib", ""), named("sam2", "")
	wheel := named("insightface", "insightface-0.7.3-cp311-cp311-linux_x86_64.whl")
	tests := []struct {
		name     string
		packages []string
		dists    []lock.Distribution
		optional []string
		want     []string
	}{
		{"all there", []string{"g++", "python3-dev"}, []lock.Distribution{insightface}, nil, nil},
		{"others do as well", []string{"clang", "libpython3.11-dev"}, []lock.Distribution{insightface}, nil, nil},
		{"a wheel needs none", nil, []lock.Distribution{wheel}, nil, nil},
		{"nobody knows", nil, []lock.Distribution{sam}, nil, nil},
		{"it may be left out", nil, []lock.Distribution{insightface}, []string{"insightface"}, nil},
		{
			"all problems at once",
			[]string{"python3-dev"},
			[]lock.Distribution{insightface, dlib},
			[]string{"other"},
			[]string{
				"python: insightface 1.0 has no wheel and must be compiled, but the builder lacks g++",
				"python: dlib 1.0 has no wheel and must be compiled, but the builder lacks g++, cmake",
				"add to [builder] packages: g++", "add to [builder] packages: g++, cmake",
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := checkBuilders(builtWith(tt.packages, tt.dists...), []Request{{Set: lock.Set{Kind: lock.SetPython}, Optional: tt.optional}})
			if tt.want == nil {
				if err != nil {
					t.Errorf("got %v", err)
				}
				return
			}
			if err == nil || failure.KindOf(err) != failure.Usage {
				t.Fatalf("got %v", err)
			}
			if diff := cmp.Diff(tt.want, append(strings.Split(err.Error(), "\n"), failure.Hints(err)...)); diff != "" {
				t.Errorf("errors and hints (-want +got):\n%s", diff)
			}
		})
	}
}

// A variant with its own builder or distributions is checked by those.
func TestCheckBuildersOfAVariant(t *testing.T) {
	d := named("insightface", "insightface-0.7.3.tar.gz")
	d.For = []lock.Set{lock.ParseSet("python@big")}
	l := lock.Lock{Distributions: []lock.Distribution{d}}
	l.Python = []lock.PythonRequest{{Set: lock.ParseSet("python")}, {Set: lock.ParseSet("python@big")}}
	err := checkBuilders(l, []Request{{Set: lock.ParseSet("python")}, {Set: lock.ParseSet("python@big")}})
	if want := "python@big: insightface 1.0 has no wheel"; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
	l.Requests = []lock.Request{{Set: lock.ParseSet("builder@big")}}
	l.Packages = []lock.Package{{Name: "g++", For: []lock.Set{lock.ParseSet("builder@big")}}, {Name: "python3-dev", For: []lock.Set{lock.ParseSet("builder@big")}}}
	if err := checkBuilders(l, []Request{{Set: lock.ParseSet("python@big")}}); err != nil {
		t.Errorf("got %v", err)
	}
}

func TestCompiledProjectsAreNamedAsInALock(t *testing.T) {
	for name, needs := range compiled() {
		if name != lock.NormalName(name) || len(needs) == 0 || slices.ContainsFunc(needs, func(n []string) bool { return len(n) == 0 }) {
			t.Errorf("%q needs %q", name, needs)
		}
	}
}
