package spec_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lamina.build/internal/failure"
	"lamina.build/spec"
)

func TestDefaults(t *testing.T) {
	f := parse(t, `name = "x"`)
	got := variant(t, f, spec.Production)
	want := spec.Spec{
		Name: "x", Title: "x", Platforms: []string{"linux/amd64"}, Variant: "production", Weights: "layers",
		Debian: spec.Debian{
			Suites:     []string{"bookworm", "bookworm-updates", "bookworm-security"},
			Components: []string{"main"},
			Exclude:    got.Debian.Exclude,
		},
		Python: spec.Python{Prune: got.Python.Prune},
		App:    spec.App{Path: "/app", User: spec.User{Name: "app", UID: 10001}, Workdir: "/", StopSignal: "SIGTERM"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("production of an empty spec (-want +got):\n%s", diff)
	}
}

// The config differs by variant like everything else: tables merge, lists replace.
func TestVariantsOfTheConfig(t *testing.T) {
	f := parse(t, `name = "x"
[app]
labels = { a = "b", c = "d" }
volumes = ["/v"]
healthcheck = { test = ["true"], interval = "10s", retries = 2 }
[variant.own.app]
labels.c = "e"
volumes = []
healthcheck.interval = "1m"
[variant.debug.app]
healthcheck = ["NONE"]
`)
	usual := spec.Healthcheck{Test: []string{"CMD", "true"}, Interval: spec.Duration(10 * time.Second), Retries: 2}
	own := usual
	own.Interval = spec.Duration(time.Minute)
	for name, want := range map[string]spec.App{
		"production": {Labels: map[string]string{"a": "b", "c": "d"}, Volumes: []string{"/v"}, Healthcheck: usual},
		"own":        {Labels: map[string]string{"a": "b", "c": "e"}, Healthcheck: own},
		"debug":      {Labels: map[string]string{"a": "b", "c": "d"}, Volumes: []string{"/v"}, Healthcheck: spec.Healthcheck{Test: []string{"NONE"}}},
	} {
		app := variant(t, f, name).App
		if !app.IsZero() {
			t.Errorf("%s has an app", name)
		}
		got := spec.App{Labels: app.Labels, Volumes: app.Volumes, Healthcheck: app.Healthcheck}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// The default excludes must be valid patterns themselves, keep what the licences and the
// C.UTF-8 locale require, and match documentation and headers.
func TestDefaultExcludes(t *testing.T) {
	exclude := variant(t, parse(t, `name = "x"`), spec.Production).Debian.Exclude
	written := "name = \"x\"\n[debian]\nexclude = [\"" + strings.Join(exclude, `", "`) + "\"]"
	if got := variant(t, parse(t, written), spec.Production).Debian.Exclude; !slices.Equal(got, exclude) {
		t.Errorf("written out, the defaults are %q", got)
	}
	for _, want := range []string{"/usr/share/doc/**", "!/usr/share/doc/*/copyright", "/usr/share/man/**", "/usr/include/**"} {
		if !slices.Contains(exclude, want) {
			t.Errorf("default excludes lack %q", want)
		}
	}
	for _, pattern := range exclude {
		if strings.HasPrefix(pattern, "/usr/lib/locale") {
			t.Errorf("%q would take the C.UTF-8 locale", pattern)
		}
	}
}

// compile = true keeps what compilers read, and the spec's own patterns come last, so
// that they decide.
func TestDefaultPrune(t *testing.T) {
	prune := func(table string) []string {
		return variant(t, parse(t, "name = \"x\"\n[python]\n"+table), spec.Production).Python.Prune
	}
	if usual := prune(""); !slices.Contains(usual, "**/*.a") || !slices.Contains(usual, "numpy/**/tests/**") || !slices.Contains(usual, "torch/include/**") {
		t.Errorf("usually left out: %q", usual)
	}
	if compiling := prune("compile = true"); !slices.Contains(compiling, "numpy/**/tests/**") || slices.Contains(compiling, "torch/include/**") || slices.Contains(compiling, "**/*.a") {
		t.Errorf("left out although something compiles: %q", compiling)
	}
	own := prune(`prune = ["**/*.md", "!numpy/tests/**"]`)
	if got := own[len(own)-2:]; !slices.Equal(got, []string{"**/*.md", "!numpy/tests/**"}) {
		t.Errorf("the last to decide are %q", got)
	}
}

// Files that packages open at run time, seen in their released wheels.
func TestDefaultPruneKeepsWhatIsRead(t *testing.T) {
	globs := variant(t, parse(t, "name = \"x\"\n"), spec.Production).Python.Prune
	for path, pruned := range map[string]bool{
		"librosa/core/__init__.pyi": false, "skimage/io/__init__.pyi": false, "cv2/__init__.pyi": false, // lazy_loader, and who knows
		"triton/backends/nvidia/driver.c": false, "triton/backends/nvidia/include/cuda.h": false,
		"numba/cuda/cpp_function_wrappers.cu": false, "numba/cuda/cuda_fp16.h": false, "numba/tests/support.py": false,
		"nvidia/cuda_runtime/include/cuda_fp16.h": false, "nvidia/curand/include/curand_kernel.h": false,
		"nvidia/cuda_runtime/lib/libcudadevrt.a": false,
		"torch/_inductor/codegen/cpp_prefix.h":   false, "torch/_inductor/codegen/aoti_runtime/interface.cpp": false,
		"deepspeed/ops/csrc/adam/cpu_adam.cpp": false, "flashinfer/data/csrc/norm.cu": false, "anything/tests/data.py": false,
		"numpy/testing/__init__.py": false, "scipy/linalg/cython_blas.pxd": false, "pandas/_testing/__init__.py": false,
		"numpy/core/lib/libnpymath.a": true, "numpy/core/tests/test_api.py": true, "numpy/tests/test_lazyloading.py": true,
		"pandas/tests/io/test_sql.py": true, "scipy/special/_ufuncs.pyx": true, "sklearn/svm/src/libsvm/svm.cpp": true,
		"torch/include/ATen/ATen.h": true, "nvidia/cudnn/include/cudnn.h": true, "include/python3.11/p/p.h": true,
		"share/man/man1/tool.1": true, "onnx/checker.cc": true,
	} {
		if got := isPruned(t, globs, path); got != pruned {
			t.Errorf("%s: pruned is %v", path, got)
		}
	}
}

// isPruned decides as internal/scripts/globs.py does: by the last glob that matches.
func isPruned(t *testing.T, globs []string, path string) bool {
	t.Helper()
	words := strings.NewReplacer("**/", "(?:.*/)?", "**", ".*", "*", "[^/]*", "?", "[^/]", ".", `\.`)
	for _, glob := range slices.Backward(globs) {
		plain, back := strings.CutPrefix(glob, "!")
		fits, err := regexp.MatchString("^"+words.Replace(plain)+"(?:/.*)?$", path)
		if err != nil {
			t.Fatal(err)
		}
		if fits {
			return !back
		}
	}
	return false
}

func TestVariants(t *testing.T) {
	f := parse(t, "name = \"x\"\n[variant.zeta]\n[variant.alpha]\n[variant.debug]\n")
	want := []string{"production", "alpha", "debug", "minimal", "zeta"}
	if diff := cmp.Diff(want, f.Variants()); diff != "" {
		t.Errorf("variants (-want +got):\n%s", diff)
	}
	_, err := f.Variant("minimul")
	if err == nil || err.Error() != `image.toml: no variant "minimul", did you mean "minimal"?` || failure.KindOf(err) != failure.Usage {
		t.Errorf("unknown variant: %v", err)
	}
}

func TestSettingsOfVariants(t *testing.T) {
	tools := []string{"gdb", "strace", "procps", "less", "vim-tiny"}
	for _, tt := range []struct {
		name, text, variant, weights string
		extra                        []string
	}{
		{"production", "", "production", "layers", nil},
		{"minimal", "", "minimal", "none", nil},
		{"debug", "", "debug", "layers", tools},
		{"debug without weights", "[variant.debug]\nweights = \"none\"", "debug", "none", tools},
		{"debug of the user's own", "[variant.debug]\nextra-packages = [\"gdb\"]", "debug", "layers", []string{"gdb"}},
		{"debug without tools", "[variant.debug]\nextra-packages = []", "debug", "layers", nil},
		{"minimal with weights", "[variant.minimal]\nweights = \"layers\"", "minimal", "layers", nil},
		{"the user's own", "[variant.own]\n", "own", "layers", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := variant(t, parse(t, "name = \"x\"\n"+tt.text), tt.variant)
			if s.Weights != tt.weights || !slices.Equal(s.Extra, tt.extra) || s.Variant != tt.variant {
				t.Errorf("%s: weights %q, extra %q, want %q, %q", s.Variant, s.Weights, s.Extra, tt.weights, tt.extra)
			}
		})
	}
}

const overlays = `
name = "x"
app.path = "/srv/app"
[builder]
packages = ["gcc", "cmake"]
[app.env]
A = "1"
B = "2"
[[model]]
from = "dir:big"
path = "/m/big"
[[model]]
name = "second"
from = "dir:second"
path = "/m/second"

[variant.own]
builder.packages = ["g++"]
[variant.own.app]
env = { B = "3", C = "4" }
[[variant.own.model]]
from = "dir:small"
path = "/m/small"
[variant.bare]
model = []
[variant.bare.app]
command = []
`

func TestOverlay(t *testing.T) {
	f := parse(t, overlays)
	production, own, bare := variant(t, f, "production"), variant(t, f, "own"), variant(t, f, "bare")

	want := production
	want.Variant = "own"
	want.Builder.Packages = []string{"g++"}                           // lists replace
	want.App.Env = map[string]string{"A": "1", "B": "3", "C": "4"}    // tables merge
	want.Models = []spec.Model{{From: "dir:small", Path: "/m/small"}} // lists of tables replace
	if diff := cmp.Diff(want, own); diff != "" {
		t.Errorf("variant own (-want +got):\n%s", diff)
	}
	if own.App.Path != "/srv/app" || own.App.Workdir != "/srv/app" {
		t.Errorf("app in %q works in %q, want /srv/app", own.App.Path, own.App.Workdir)
	}
	if len(bare.Models) != 0 || len(production.Models) != 2 {
		t.Errorf("models %v and %v, want none and two", bare.Models, production.Models)
	}
}

// A caller may change the value.
func TestVariantIsTheCallersOwn(t *testing.T) {
	f := parse(t, overlays)
	first := variant(t, f, "own")
	first.App.Env["A"], first.Builder.Packages[0], first.Debian.Exclude[0] = "changed", "changed", "changed"
	if got := variant(t, f, "own"); got.App.Env["A"] != "1" || got.Builder.Packages[0] != "g++" ||
		got.Debian.Exclude[0] == "changed" {
		t.Errorf("second value shares memory with the first: %+v", got)
	}
}

func TestAccepted(t *testing.T) {
	for _, tt := range []struct{ name, text string }{
		{"byte order mark", "\uFEFFname = \"x\""},
		{"carriage returns", "name = \"x\"\r\n[app]\r\nports = [\r\n 80,\r\n]\r\n"},
		{"user by name", "name = \"x\"\n[app]\nuser = \"svc\""},
		{"user of the highest uid", "name = \"x\"\n[app]\nuser = \"svc:65533\""},
		{"subtables before their table", "name = \"x\"\n[app.env]\nA = \"b\"\n[app]\npath = \"/a\""},
		{"other numbers", "name = \"x\"\n[app]\nports = [0x50, 0o77, 8_080]"},
		{"the directory itself", "name = \"x\"\n[app]\nsource = \".\""},
		{"no programs", "name = \"x\"\n[app]\nentrypoint = []\n[smoke]\nrun = []"},
		{"flat repository", "name = \"x\"\n[[debian.repository]]\nurl = \"https://d.example\"\nsuite = \"deb/x/\"\nkey = \"k\""},
		{"inline tables", "name = \"x\"\nmodel = [{ from = \"dir:w\", path = \"/m\" }]\nsmoke = { gpu = { run = [[\"a\"]] } }"},
	} {
		t.Run(tt.name, func(t *testing.T) { parse(t, tt.text) })
	}
}
