package lock_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"lamina.build/lock"
)

func TestDriftNamesEachDifference(t *testing.T) {
	tests := []struct {
		name   string
		change func(*lock.Requirements)
		want   []string
	}{
		{"none", func(*lock.Requirements) {}, nil},
		{"platform", func(w *lock.Requirements) { w.Platform = "linux/arm64" }, []string{"platform: the lock is for linux/amd64, the spec wants linux/arm64"}},
		{"suite added", func(w *lock.Requirements) { w.Suites = append(w.Suites, "bookworm-updates") }, []string{"suites: the spec adds bookworm-updates"}},
		{"components in another order", func(w *lock.Requirements) { w.Components = []string{"non-free", "main"} }, []string{"components: the spec orders them non-free, main"}},
		{"package added", func(w *lock.Requirements) { w.Requests[2].Packages = []string{"python3", "python3-numpy"} }, []string{"runtime: the spec adds python3-numpy"}},
		{"package gone", func(w *lock.Requirements) { w.Requests[2].Packages = nil }, []string{"runtime: the spec no longer has python3"}},
		{"set added", func(w *lock.Requirements) {
			w.Requests = append(w.Requests, lock.Request{Set: lock.ParseSet("builder"), Packages: []string{"cmake", "g++"}})
		}, []string{"builder: not locked yet (cmake, g++)"}},
		{"set gone", func(w *lock.Requirements) { w.Requests = w.Requests[:2] }, []string{"runtime: the spec no longer requests it"}},
		{"suite gone", func(w *lock.Requirements) { w.Suites = w.Suites[:1] }, []string{"suites: the spec no longer has bookworm-security"}},
		{"component added", func(w *lock.Requirements) { w.Components = append(w.Components, "contrib") }, []string{"components: the spec adds contrib"}},
		{"repository gone", func(w *lock.Requirements) { w.Repositories = nil }, []string{"repositories: the spec no longer has cuda"}},
		{"repository of another name", func(w *lock.Requirements) { w.Repositories[0].Name = "nv" }, []string{
			"repositories: the spec adds nv", "repositories: the spec no longer has cuda",
		}},
		{"another url", func(w *lock.Requirements) { w.Repositories[0].URL += "/x" }, []string{"repositories: cuda has another url, suite, component or key"}},
		{"another suite", func(w *lock.Requirements) { w.Repositories[0].Suite = "stable" }, []string{"repositories: cuda has another url, suite, component or key"}},
		{"another component", func(w *lock.Requirements) { w.Repositories[0].Components = []string{"x"} }, []string{"repositories: cuda has another url, suite, component or key"}},
		{"set of a variant", func(w *lock.Requirements) { w.Requests[2].Set.Variant = "v" }, []string{
			"runtime@v: not locked yet (python3)", "runtime: the spec no longer requests it",
		}},
		{"distributions gone", func(w *lock.Requirements) { w.Python = w.Python[:1] }, []string{"python@blackwell: the spec no longer requests it"}},
		{"distributions of a variant", func(w *lock.Requirements) {
			w.Python = append(w.Python, lock.PythonRequest{Set: lock.ParseSet("python@v"), Lines: []string{"a", "b"}})
		}, []string{"python@v: not locked yet (a, b)"}},
		{"everything", func(w *lock.Requirements) { *w = lock.Requirements{Platform: "x"} }, []string{
			"platform: the lock is for linux/amd64, the spec wants x",
			"suites: the spec no longer has bookworm", "suites: the spec no longer has bookworm-security",
			"components: the spec no longer has main", "components: the spec no longer has non-free",
			"repositories: the spec no longer has cuda",
			"base: the spec no longer requests it", "extra@debug: the spec no longer requests it", "runtime: the spec no longer requests it",
			"python: the spec no longer requests it", "python@blackwell: the spec no longer requests it",
		}},
		{"another key", func(w *lock.Requirements) { w.Repositories[0].Key = digest.FromString("new") }, []string{"repositories: cuda has another url, suite, component or key"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			spec := sample().Requirements
			tt.change(&spec)
			if diff := cmp.Diff(tt.want, sample().Drift(spec)); diff != "" {
				t.Errorf("drift (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDriftOfPythonNamesTheLine(t *testing.T) {
	spec := sample().Requirements
	spec.Python = []lock.PythonRequest{{Set: lock.ParseSet("python"), Lines: []string{"insightface==0.7.3", "torch", "numpy<2"}}, spec.Python[1]}
	want := []string{"python: the spec adds numpy<2", "python: the spec no longer has --index-url https://index.example/simple"}
	if diff := cmp.Diff(want, sample().Drift(spec)); diff != "" {
		t.Errorf("drift (-want +got):\n%s", diff)
	}
}

func TestDriftOfModels(t *testing.T) {
	l := withModels(nil)
	requirements := l.Requirements
	requirements.Places = []lock.Place{{Model: wanModel().ModelRequest, Repository: "registry.example/wan"}}
	if drift := l.Drift(requirements); len(drift) != 0 {
		t.Errorf("a lock drifts from itself: %q", drift)
	}
	requirements.ModelRequests = slices.Clone(requirements.ModelRequests)
	for i := range requirements.ModelRequests {
		requirements.ModelRequests[i].Path = "/elsewhere"
	}
	for i := range l.Models {
		l.Models[i].Published = ""
	}
	const (
		hub  = `hf://Wan-AI/Wan2.2-Animate-14B@main at `
		says = `, include ["*.safetensors"], exclude ["xlm-roberta-large/**"], rename { "a" = "x", "a b.bin" = "c/d.bin", "a=b" = "y=z" }`
		list = `https://weights.example/SHA256SUMS at `
	)
	want := []string{
		"model: the spec adds " + list + `"/elsewhere"`, "model: the spec adds " + hub + `"/elsewhere"` + says,
		"model: the spec no longer has " + list + `"/models/other"`, "model: the spec no longer has " + hub + `"/models/wan"` + says,
	}
	if diff := cmp.Diff(want, l.Drift(requirements)); diff != "" {
		t.Errorf("drift (-want +got):\n%s", diff)
	}
}

// A lock may only name the published repositories that the spec names for a model: a
// changed lock could otherwise have any image merged.
func TestDriftOfPlaces(t *testing.T) {
	l := withModels(nil)
	wan, list := wanModel().ModelRequest, listModel().ModelRequest
	for _, tt := range []struct {
		name   string
		places []lock.Place
		want   string
	}{
		{"the place", []lock.Place{{Model: wan, Repository: "registry.example/wan"}}, ""},
		{"one for a variant", []lock.Place{{Model: wan, Repository: "r.example/x"}, {Model: wan, Repository: "registry.example/wan"}}, ""},
		{"no place", nil, "no place"},
		{"one for another model", []lock.Place{{Model: list, Repository: "registry.example/wan"}}, "no place"},
		{"a prefix", []lock.Place{{Model: wan, Repository: "registry.example/wa"}}, "registry.example/wa"},
		{"a longer path", []lock.Place{{Model: wan, Repository: "registry.example/wan/x"}}, "registry.example/wan/x"},
		{"another registry", []lock.Place{{Model: wan, Repository: "registry.example:443/wan"}, {Model: wan, Repository: "r.example/wan"}}, "registry.example:443/wan, r.example/wan"},
	} {
		requirements := l.Requirements
		requirements.Places = tt.places
		var want []string
		if tt.want != "" {
			want = []string{"model: the lock has hf://Wan-AI/Wan2.2-Animate-14B@main published in registry.example/wan, the spec names " + tt.want}
		}
		if diff := cmp.Diff(want, l.Drift(requirements)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

// A difference in any field of a request for a model is reported.
func TestDriftOfEachFieldOfAModel(t *testing.T) {
	l := withModels(func(m *lock.Model) { m.Published = "" })
	for name, change := range map[string]func(*lock.ModelRequest){
		"from":    func(r *lock.ModelRequest) { r.From += "x" },
		"path":    func(r *lock.ModelRequest) { r.Path += "x" },
		"include": func(r *lock.ModelRequest) { r.Include = []string{"z"} },
		"exclude": func(r *lock.ModelRequest) { r.Exclude = []string{"a", "b"} },
		"rename":  func(r *lock.ModelRequest) { r.Rename = map[string]string{"a": "b"} },
	} {
		requirements := l.Requirements
		requirements.ModelRequests = slices.Clone(requirements.ModelRequests)
		was := requirements.ModelRequests[0]
		change(&requirements.ModelRequests[0])
		if requirements.ModelRequests[0].Compare(was) == 0 {
			t.Errorf("%s: a change gives an equal request", name)
		}
		if drift := l.Drift(requirements); len(drift) != 2 || !strings.HasPrefix(drift[0], "model: the spec adds") || !strings.HasPrefix(drift[1], "model: the spec no longer has") {
			t.Errorf("%s: got %q", name, drift)
		}
		if _, ok := l.Model(requirements.ModelRequests[0]); ok {
			t.Errorf("%s: the lock has a model for another request", name)
		}
	}
}
