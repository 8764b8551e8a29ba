package spec_test

import (
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"lamina.build/spec"
)

func TestDecided(t *testing.T) {
	t.Parallel()
	root := fstest.MapFS{
		"own/pyproject.toml":   {Data: []byte("[tool.uv]\nworkspace.members = [\"m\"]\noverride-dependencies = [\"urllib3[socks]==1.20\", \"NumPy>=2; sys_platform == 'linux'\"]\nexclude-dependencies = [\"certifi\"]\n")},
		"own/m/pyproject.toml": {},
		"bad/pyproject.toml":   {Data: []byte("[tool")},
	}
	for name, tt := range map[string]struct {
		python               spec.Python
		excludes, overridden []string
	}{
		"nothing":      {python: spec.Python{}},
		"of the spec":  {spec.Python{Excludes: []string{"cython"}, Overrides: []string{"Foo_Bar@ https://host.example/x.whl"}}, []string{"cython"}, []string{"foo-bar"}},
		"of a project": {spec.Python{Project: "own"}, []string{"certifi"}, []string{"urllib3", "numpy"}},
		"of a uv.lock": {spec.Python{Lock: "own/uv.lock"}, []string{"certifi"}, []string{"urllib3", "numpy"}},
		"of a member":  {spec.Python{Project: "own/m"}, []string{"certifi"}, []string{"urllib3", "numpy"}},
		"of a pylock":  {python: spec.Python{Lock: "own/pylock.toml"}},
	} {
		excludes, overridden, err := tt.python.Decided(root)
		if err != nil || len(excludes) != len(tt.excludes) || len(overridden) != len(tt.overridden) {
			t.Errorf("%s: got %q, %q, %v", name, excludes, overridden, err)
			continue
		}
		if diff := cmp.Diff(append(tt.excludes, tt.overridden...), append(excludes, overridden...)); diff != "" && len(tt.excludes) > 0 {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if _, _, err := (spec.Python{Project: "bad"}).Decided(root); err == nil {
		t.Error("a pyproject.toml that can't be read says nothing")
	}
}
