package check_test

import (
	"testing"

	"lamina.build/internal/check"
	"lamina.build/llb"
)

func TestFolders(t *testing.T) {
	layer := func(name string, paths ...string) llb.Layer { return llb.Layer{Name: name, Paths: paths} }
	app := layer("app", "/app/", "/app/main.py", "/app/tree/", "/app/trees")
	for _, tt := range []struct {
		name            string
		folders, layers []llb.Layer
		want            string
	}{
		{"beside each other", []llb.Layer{layer("tree", "/app/tree/"), layer("other", "/opt/tree/")}, []llb.Layer{app}, ""},
		{
			"a file in the folder",
			[]llb.Layer{layer("tree", "/app/")},
			[]llb.Layer{app},
			`layers "tree" and "app": path "/app/main.py" is in both`,
		},
		{
			"one folder in another",
			[]llb.Layer{layer("tree", "/opt/"), layer("below", "/opt/tree/")},
			nil,
			`layers "tree" and "below": path "/opt/tree" is in both`,
		},
		{
			"the same, in the other order",
			[]llb.Layer{layer("below", "/opt/tree/"), layer("tree", "/opt/")},
			nil,
			`layers "tree" and "below": path "/opt/tree" is in both`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := ""
			if err := check.Folders(tt.folders, tt.layers); err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
