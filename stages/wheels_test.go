package stages_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"lamina.build/internal/graph"
	"lamina.build/llb"
	"lamina.build/lock"
	"lamina.build/stages"
)

const commit = "0123456789012345678901234567890123456789"

// withWheels returns an input with every kind of Python package.
func withWheels() stages.Input {
	in := input("production")
	in.Lock.Python = []lock.PythonRequest{{Set: lock.Set{Kind: lock.SetPython}}}
	in.Lock.UV = lock.UV{Version: "0.13.9", File: "uv-0.13.9-py3-none-any.whl", URL: "https://f.example/uv-0.13.9-py3-none-any.whl", Size: 19e6, SHA256: hash("uv")}
	in.Lock.Distributions = []lock.Distribution{
		wheel("cython", 3e6, lock.Set{Kind: lock.SetBuild, Project: "insightface"}),
		wheel("idna", 60e3, lock.Set{Kind: lock.SetPython}),
		wheel("numpy", 18e6, lock.Set{Kind: lock.SetPython}),
		wheel("numpy", 17e6, lock.Set{Kind: lock.SetBuild, Project: "insightface"}),
		wheel("nvidia-cudnn-cu12", 664e6, lock.Set{Kind: lock.SetPython}),
		wheel("torch", 797e6, lock.Set{Kind: lock.SetPython}),
		wheel("tqdm", 70e3, lock.Set{Kind: lock.SetPython}),
		{Name: "insightface", Version: "0.7.3", File: "insightface-0.7.3.tar.gz", URL: "https://f.example/insightface-0.7.3.tar.gz", Size: 4e5, SHA256: hash("insightface"), For: []lock.Set{{Kind: lock.SetPython}}},
		{Name: "own", Version: "1", File: "own-1-py3-none-any.whl", URL: "file:wheels/own-1-py3-none-any.whl", Size: 9, SHA256: hash("own"), For: []lock.Set{{Kind: lock.SetPython}}},
		{Name: "sam2", Version: "1.0", URL: "git+https://git.example/sam2@" + commit + "#subdirectory=py", For: []lock.Set{{Kind: lock.SetPython}}},
	}
	in.Python = stages.Python{
		Prune: []string{"**/*.a", "!torch/lib/**"}, Optional: []string{"sam2"}, Collisions: []string{"**/LICENSE"},
		Files: map[string]llb.Layer{"wheels/own-1-py3-none-any.whl": packed("own")},
	}
	return in
}

func wheel(name string, size int64, set lock.Set) lock.Distribution {
	file := name + "-1-py3-none-any.whl"
	return lock.Distribution{
		Name: name, Version: "1", File: file, URL: "https://f.example/" + file, Size: size, SHA256: hash(name), For: []lock.Set{set},
	}
}

func hash(s string) string { return digest.FromString(s).Encoded() }

func TestGraphWithWheels(t *testing.T) {
	_, def := draw(t, withWheels())
	checkGolden(t, "wheels", decode(t, def))
}

func TestWheelsAreLayeredByHowTheyChange(t *testing.T) {
	var got []string
	for _, p := range parts(t, withWheels()) {
		if p.Stage == "wheels" {
			got = append(got, what(p))
		}
	}
	want := []string{"nvidia-cudnn-cu12 1", "torch 1", "numpy 1", "3 small wheels", "insightface 0.7.3", "sam2 1.0", "native"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("layers (-want +got):\n%s", diff)
	}
}

// A change of one distribution moves only its own layer.
func TestChangeOfAWheelMovesItsGroup(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*stages.Input, *lock.Distribution)
		moves  []string
	}{
		"torch":       {anotherFile, []string{"wheels torch 1"}},
		"tqdm":        {anotherFile, []string{"wheels 3 small wheels"}},
		"insightface": {anotherFile, []string{"wheels insightface 0.7.3"}},
		"cython":      {anotherFile, []string{"wheels insightface 0.7.3"}},
		"own": {func(in *stages.Input, d *lock.Distribution) {
			anotherFile(in, d)
			in.Python.Files["wheels/own-1-py3-none-any.whl"] = packed("another")
		}, []string{"wheels 3 small wheels"}},
		"sam2": {func(_ *stages.Input, d *lock.Distribution) {
			d.URL = strings.Replace(d.URL, commit, strings.Repeat("1", 40), 1)
		}, []string{"wheels sam2 1.0"}},
	} {
		t.Run(name, func(t *testing.T) {
			after := withWheels()
			i := slices.IndexFunc(after.Lock.Distributions, func(d lock.Distribution) bool { return d.Name == name })
			tt.change(&after, &after.Lock.Distributions[i])
			if diff := cmp.Diff(tt.moves, moved(t, withWheels(), after)); diff != "" {
				t.Errorf("layers that moved (-want +got):\n%s", diff)
			}
		})
	}
}

// anotherFile replaces the file of a distribution.
func anotherFile(_ *stages.Input, d *lock.Distribution) { d.SHA256 = hash("another") }

func TestOrderOfTheLockMovesNoLayer(t *testing.T) {
	after := withWheels()
	slices.Reverse(after.Lock.Distributions)
	layers := func(in stages.Input) (list []string) {
		for _, p := range parts(t, in) {
			list = append(list, what(p)+" "+key(t, p))
		}
		slices.Sort(list)
		return list
	}
	if diff := cmp.Diff(layers(withWheels()), layers(after)); diff != "" {
		t.Errorf("layers (-one order +the other):\n%s", diff)
	}
}

func TestSdistsAreBuiltWithWhatIsLocked(t *testing.T) {
	_, def := draw(t, withWheels())
	g := decode(t, def)
	for name, want := range map[string]bool{"insightface 0.7.3: compile": true, "native: compile": false} {
		i := slices.IndexFunc(g.Vertices, func(v graph.Vertex) bool { return v.Name == name })
		if i < 0 {
			t.Fatalf("nothing is called %q", name)
		}
		got := slices.ContainsFunc(g.Vertices[i].Inputs, func(in graph.Input) bool {
			return strings.HasPrefix(g.Vertices[in.Vertex].Name, "what insightface is built with")
		})
		if got != want {
			t.Errorf("%s has its own environment: %v", name, got)
		}
	}
}

// The project's own trees install what their authors want, headers and all.
func TestSourcesAreNotPruned(t *testing.T) {
	after := withWheels()
	after.Python.Prune = []string{"**/*.h"}
	var want []string
	for _, p := range parts(t, after) {
		if p.Stage == "wheels" && what(p) != "native" {
			want = append(want, "wheels "+what(p))
		}
	}
	if diff := cmp.Diff(want, moved(t, withWheels(), after)); diff != "" {
		t.Errorf("layers that other prune rules move (-want +got):\n%s", diff)
	}
}

func TestOnlyWhatIsOptionalIsLookedInto(t *testing.T) {
	image, _ := draw(t, withWheels())
	for _, p := range image.Parts {
		if p.Optional != (what(p) == "sam2 1.0") {
			t.Errorf("%s is optional: %v", what(p), p.Optional)
		}
	}
}

// The check of requirements gets what the spec requires, and which projects the lock has for it.
func TestRequirementsAreCheckedAgainstWhatIsAskedFor(t *testing.T) {
	in := withWheels()
	in.Python.Asked = []string{"insightface", "torch"}
	_, def := draw(t, in)
	g := decode(t, def)
	i := slices.IndexFunc(g.Vertices, func(v graph.Vertex) bool { return v.Name == "scripts of the package check" })
	if i < 0 {
		t.Fatal("no such check")
	}
	const want = `{"asked":["insightface","torch"],"collisions":["**/LICENSE"],"locked":["idna","numpy","nvidia-cudnn-cu12","torch","tqdm","insightface","own","sam2"],` +
		`"optional":["sam2"],"overridden":[]}` + "\n"
	if got := fileIn(t, g.Vertices[i:i+1], "/options.json"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestPlanOfWheelsFits(t *testing.T) {
	var wheels []lock.Distribution
	for i := range 200 {
		wheels = append(wheels, wheel(fmt.Sprintf("heavy-%03d", i), int64(2e8+i), lock.Set{Kind: lock.SetPython}))
	}
	wheels = append(wheels, wheel("small", 5, lock.Set{Kind: lock.SetPython}))
	for _, limit := range []int{2, 3, 60, 500} {
		groups, joined := stages.PlanWheels(wheels, limit)
		if len(groups) > limit {
			t.Errorf("%d groups, more than %d", len(groups), limit)
		}
		if want := max(0, 200-(limit-2)); joined != want {
			t.Errorf("limit %d: %d wheels joined, want %d", limit, joined, want)
		}
		seen := 0
		for _, g := range groups {
			seen += len(g)
		}
		if seen != len(wheels) {
			t.Errorf("limit %d: %d wheels in the groups, want %d", limit, seen, len(wheels))
		}
		mixed := slices.Clone(wheels)
		slices.Reverse(mixed)
		if again, _ := stages.PlanWheels(mixed, limit); !cmp.Equal(groups, again) {
			t.Errorf("limit %d: another order of wheels gives other groups", limit)
		}
	}
}

func TestMissingFileOfTheProjectIsTold(t *testing.T) {
	in := withWheels()
	in.Python.Files = nil
	if _, err := stages.New(in); err == nil || !strings.Contains(err.Error(), `the file "wheels/own-1-py3-none-any.whl" of own is missing`) {
		t.Errorf("error %v", err)
	}
}

// Without anything from an index there is no uv, and Debian's installer is used.
func TestUVInstallsWhereItIsLocked(t *testing.T) {
	for _, locked := range []bool{true, false} {
		in := withWheels()
		if !locked {
			in.Lock.UV = lock.UV{}
		}
		_, def := draw(t, in)
		g := decode(t, def)
		unpacked := 0
		for _, v := range g.Vertices {
			has := slices.ContainsFunc(v.Inputs, func(in graph.Input) bool { return strings.HasPrefix(g.Vertices[in.Vertex].Name, "unpack uv") })
			if want := locked && strings.HasSuffix(v.Name, ": install") && v.Name != "base: install"; has != want && strings.HasSuffix(v.Name, ": install") {
				t.Errorf("uv locked %v: %s has it: %v", locked, v.Name, has)
			}
			if v.Name == "unpack uv" {
				unpacked++
			}
		}
		if (unpacked == 1) != locked {
			t.Errorf("uv locked %v: unpacked %d times", locked, unpacked)
		}
	}
}

// The current URL of a file is no part of its identity.
func TestFilesAreFetchedFromWhereTheyAre(t *testing.T) {
	in := withWheels()
	in.Python.URLs = map[string]string{hash("torch"): "https://mirror.example/torch.whl", hash("uv"): "https://mirror.example/uv.whl"}
	_, def := draw(t, in)
	text := string(decode(t, def).Golden())
	for url, want := range map[string]bool{
		"https://mirror.example/torch.whl": true, "https://mirror.example/uv.whl": true, "https://f.example/tqdm-1-py3-none-any.whl": true,
		"https://f.example/torch-1-py3-none-any.whl": false, "https://f.example/uv-0.13.9-py3-none-any.whl": false,
	} {
		if got := strings.Contains(text, url); got != want {
			t.Errorf("%s is fetched: %v", url, got)
		}
	}
}

// Another rule installs again only what may have such files.
func TestPruneRuleMovesWhatItConcerns(t *testing.T) {
	tops := map[string][]string{
		"torch": {"functorch", "torch", "torchgen"}, "nvidia-cudnn-cu12": {"nvidia"}, "numpy": {"numpy", "numpy.libs"},
		"idna": {"idna"}, "tqdm": {"tqdm"}, "own": {"own.py"},
	}
	known := func(rules ...string) stages.Input {
		in := withWheels()
		in.Python.Prune = rules
		for i, d := range in.Lock.Distributions {
			in.Lock.Distributions[i].Top = tops[d.Name]
		}
		return in
	}
	compiled := []string{"wheels insightface 0.7.3", "wheels sam2 1.0"}
	all := []string{"wheels nvidia-cudnn-cu12 1", "wheels torch 1", "wheels numpy 1", "wheels 3 small wheels"}
	for rule, moves := range map[string][]string{
		"torch/lib/*ffmpeg*": {"wheels torch 1"},
		"!numpy/tests/**":    {"wheels numpy 1"},
		"numpy.libs":         {"wheels numpy 1"},
		"own.py":             {"wheels 3 small wheels"},
		"nothing/x":          nil,
		"**/*.pyi":           all,
		"num?y/tests":        all,
		"share/man":          all,
		"!bin/tqdm":          all,
	} {
		t.Run(rule, func(t *testing.T) {
			if diff := cmp.Diff(slices.Concat(moves, compiled), moved(t, known("**/*.a"), known("**/*.a", rule))); diff != "" {
				t.Errorf("layers that moved (-want +got):\n%s", diff)
			}
		})
	}
}

// Any wheel may have files in each directory that the Filesystem Hierarchy Standard (FHS 3.0)
// has in /usr/local.
func TestPruneRuleOfADirectoryConcernsAllWheels(t *testing.T) {
	known := func(rules ...string) stages.Input {
		in := input("production")
		for _, d := range []lock.Distribution{wheel("large", 2e8, lock.Set{Kind: lock.SetPython}), wheel("small", 1, lock.Set{Kind: lock.SetPython})} {
			d.Top = []string{d.Name}
			in.Lock.Distributions = append(in.Lock.Distributions, d)
		}
		in.Sources, in.Python.Prune = nil, rules
		return in
	}
	want := []string{"wheels large 1", "wheels small 1"}
	for _, directory := range []string{"bin", "etc", "games", "include", "lib", "man", "sbin", "share", "src"} {
		if diff := cmp.Diff(want, moved(t, known(), known(directory+"/x"))); diff != "" {
			t.Errorf("layers that a rule for %s moves (-want +got):\n%s", directory, diff)
		}
	}
}

// What is built needs layers, too: all together have [stages.WheelLayers].
func TestWheelsAndWhatIsBuiltShareTheirLayers(t *testing.T) {
	python := lock.Set{Kind: lock.SetPython}
	for _, tt := range []struct{ heavy, sdists, trees, joined int }{
		{57, 0, 0, 0}, {58, 0, 0, 0}, {59, 0, 0, 1}, {58, 1, 0, 1}, {58, 0, 1, 1}, {50, 4, 4, 0}, {51, 4, 4, 1}, {60, 5, 1, 8},
	} {
		in := input("production")
		in.Lock.Distributions = []lock.Distribution{wheel("small", 1, python)}
		for i := range tt.heavy {
			in.Lock.Distributions = append(in.Lock.Distributions, wheel(fmt.Sprintf("heavy-%d", i), 2e8, python))
		}
		for i := range tt.sdists {
			d := wheel(fmt.Sprintf("sdist-%d", i), 1, python)
			d.File = d.Name + ".tar.gz"
			in.Lock.Distributions = append(in.Lock.Distributions, d)
		}
		in.Sources = nil
		for i := range tt.trees {
			in.Sources = append(in.Sources, stages.Source{Layer: packed(fmt.Sprintf("tree-%d", i))})
		}
		n := 0
		for _, p := range parts(t, in) {
			if p.Stage == "wheels" {
				n++
			}
		}
		if n > stages.WheelLayers || in.JoinedWheels() != tt.joined {
			t.Errorf("%+v: %d layers of at most %d, and %d wheels joined", tt, n, stages.WheelLayers, in.JoinedWheels())
		}
	}
}

// An sdist or the tree of a commit has no history; the project's own tree knows its version.
func TestBuildsKnowTheVersionThatIsLocked(t *testing.T) {
	_, def := draw(t, withWheels())
	g := decode(t, def)
	for name, want := range map[string][]string{
		"insightface 0.7.3: compile": {"SETUPTOOLS_SCM_PRETEND_VERSION_FOR_INSIGHTFACE=0.7.3", "PBR_VERSION=0.7.3"},
		"sam2 1.0: compile":          {"SETUPTOOLS_SCM_PRETEND_VERSION_FOR_SAM2=1.0", "SETUPTOOLS_SCM_PRETEND_VERSION=1.0"},
		"native: compile":            nil,
	} {
		i := slices.IndexFunc(g.Vertices, func(v graph.Vertex) bool { return v.Name == name })
		env := g.Vertices[i].Op.GetExec().GetMeta().GetEnv()
		for _, kv := range want {
			if !slices.Contains(env, kv) {
				t.Errorf("%s lacks %s: %q", name, kv, env)
			}
		}
		if has := slices.ContainsFunc(env, func(kv string) bool { return strings.Contains(kv, "VERSION") }); has != (want != nil) {
			t.Errorf("%s is told a version: %q", name, env)
		}
	}
}
