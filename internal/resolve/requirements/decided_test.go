package requirements_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"lamina.build/internal/resolve/requirements"
	"lamina.build/spec"
)

func TestDecided(t *testing.T) {
	t.Parallel()
	ofProject := requirements.Decided{Excluded: []string{"certifi"}, Overridden: []string{"urllib3", "numpy"}}
	root := map[string]string{
		"own/pyproject.toml":   "[tool.uv]\nworkspace.members = [\"m\"]\noverride-dependencies = [\"urllib3[socks]==1.20\", \"NumPy>=2; sys_platform == 'linux'\"]\nexclude-dependencies = [\"certifi\"]\n",
		"own/m/pyproject.toml": "[project]\n", "own/pylock.toml": "", "r.txt": "six\nmore[a]<2; os_name == 'x'\n", "u.txt": "https://host.example/x.zip\n", "w.txt": "./own-1-py3-none-any.whl\n", "own-1-py3-none-any.whl": "",
	}
	for name, tt := range map[string]struct {
		python string
		want   requirements.Decided
	}{
		"nothing":      {"", requirements.Decided{}},
		"of the spec":  {"requirements = [\"r.txt\"]\nexcludes = [\"cython\"]\noverrides = [\"Foo_Bar@ https://host.example/x.whl\"]\n", requirements.Decided{Excluded: []string{"cython"}, Overridden: []string{"foo-bar"}, Asked: []string{"Foo_Bar", "more[a]", "six"}}},
		"of a file":    {"requirements = [\"r.txt\", \"u.txt\"]\n", requirements.Decided{}},
		"of a wheel":   {"requirements = [\"w.txt\"]\n", requirements.Decided{Asked: []string{"own"}}},
		"of a project": {"project = \"own\"\nexcludes = [\"cython\"]\n", requirements.Decided{Excluded: []string{"cython", "certifi"}, Overridden: []string{"urllib3", "numpy"}}},
		"of a uv.lock": {"lock = \"own/uv.lock\"\n", ofProject},
		"of a member":  {"project = \"own/m\"\n", ofProject},
		"of a pylock":  {"lock = \"own/pylock.toml\"\n", requirements.Decided{}},
	} {
		got := read(t, "name = \"x\"\n[python]\n"+tt.python+"[variant.other]\n", root).Decided
		for _, variant := range []string{spec.Production, "other"} {
			if diff := cmp.Diff(tt.want, got[variant], cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s, %s (-want +got):\n%s", name, variant, diff)
			}
		}
	}
}
