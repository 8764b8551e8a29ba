package requirements_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"lamina.build/lock"
)

const wheels = `name = "x"
[python]
requirements = ["requirements.txt"]
constraints  = ["constraints.txt"]
sources      = ["my_ext", "plain"]
optional     = ["Flash_Attn"]
[[python.index]]
name = "pytorch"
url = "https://torch.example/whl/cu124"
packages = ["Torch", "torchvision"]
[python.build-requires]
Insight_Face = ["numpy==1.26.4", "cython<3"]
my-ext = ["pybind11"]
[variant.same.python]
prune = ["**/*.md"]
[variant.blackwell.python]
requirements = ["blackwell.txt"]
[variant.locked.python]
requirements = []
constraints  = []
lock = "pylock.toml"
`

func wheelFiles() map[string]string {
	return map[string]string{
		"requirements.txt": "torch==2.6.0 # of the cu124 index\n-r more.txt\n", "more.txt": "--extra-index-url https://extra.example/simple\nInsightFace == 0.7.3\n",
		"constraints.txt": "numpy<2\n", "blackwell.txt": "torch==2.7.1\n", "pylock.toml": "lock-version = \"1.0\"\n",
		"my_ext/pyproject.toml": "", "plain/setup.py": "",
	}
}

func TestPythonRequirementsAreLines(t *testing.T) {
	got := read(t, wheels, wheelFiles()).Lock
	shared := []string{
		"build-requires insight-face: cython<3, numpy==1.26.4", "build-requires my-ext: pybind11",
		"index pytorch https://torch.example/whl/cu124: torch, torchvision", "optional flash-attn",
	}
	sources := []string{"source my_ext " + emptyPyproject, "source plain/setup.py " + digest.FromString("").String()}
	lines := func(own ...string) []string { return slices.Concat(own, shared, sources) }
	want := []lock.PythonRequest{
		{Set: lock.ParseSet("python"), Lines: lines("--extra-index-url https://extra.example/simple", "-c numpy<2", "InsightFace==0.7.3")},
		{Set: lock.ParseSet("python@blackwell"), Lines: lines("-c numpy<2")},
		{Set: lock.ParseSet("python@locked"), Lines: lines()},
	}
	want[0].Lines = append(want[0].Lines, "torch==2.6.0")
	want[1].Lines = append(want[1].Lines, "torch==2.7.1")
	want[2].Lines = append(want[2].Lines, "pylock.toml "+digest.FromString(wheelFiles()["pylock.toml"]).String())
	for _, r := range want {
		slices.Sort(r.Lines)
	}
	if diff := cmp.Diff(want, got.Python); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestBuildRequirementsAreChecked(t *testing.T) {
	err := problem(t, wheels+"[variant.other.python.build-requires]\nown = [\n  \"numpy\",\n  \"x[\", \"y[\",\n]\n", wheelFiles())
	const says = ` is not a requirement: NAME[EXTRAS]==VERSION, NAME @ URL, or the ./PATH of an archive`
	want := "image.toml:25:3: own: \"x[\"" + says + "\nimage.toml:25:9: own: \"y[\"" + says
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestPythonRequestsCollectProblems(t *testing.T) {
	files := wheelFiles()
	files["more.txt"], files["blackwell.txt"] = "torch 2\n", "git://g.example/x\n"
	delete(files, "pylock.toml")
	err := problem(t, wheels, files)
	for _, want := range []string{"more.txt:1: ", "blackwell.txt:1: ", "open pylock.toml: file does not exist"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not say %q", err, want)
		}
	}
}
