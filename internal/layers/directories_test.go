package layers_test

import (
	"errors"
	"testing"

	"lamina.build/internal/layers"
	"lamina.build/llb"
)

func TestDirectories(t *testing.T) {
	layer := func(name string, paths ...string) llb.Layer { return llb.Layer{Name: name, Paths: paths} }
	app := layer("app", "/app/", "/app/main.py", "/app/tree/", "/app/trees")
	for _, tt := range []struct {
		name                string
		directories, layers []llb.Layer
		want                string
	}{
		{"Debian's own", []llb.Layer{layer("tree", "/usr/lib/")}, nil, `layer "tree": path "/usr/lib": is a directory that Debian's packages fill, too`},
		{"below Debian's own", []llb.Layer{layer("tree", "/usr/share/tree/"), layer("other", "/srv/x/"), layer("mine", "/tree/")}, nil, ""},
		{"next to each other", []llb.Layer{layer("tree", "/app/tree/"), layer("other", "/opt/tree/")}, []llb.Layer{app}, ""},
		{
			"a file in the directory",
			[]llb.Layer{layer("tree", "/app/")},
			[]llb.Layer{app},
			`layer "app": path "/app/main.py": lies in /app, which "tree" fills alone`,
		},
		{
			"one directory in another",
			[]llb.Layer{layer("tree", "/opt/a/"), layer("below", "/opt/a/tree/")},
			nil,
			`layer "below": path "/opt/a/tree": lies in /opt/a, which "tree" fills alone`,
		},
		{
			"the same, in the other order",
			[]llb.Layer{layer("below", "/opt/a/tree/"), layer("tree", "/opt/a/")},
			nil,
			`layer "below": path "/opt/a/tree": lies in /opt/a, which "tree" fills alone`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := ""
			if err := errors.Join(layers.CheckDirs(tt.directories, tt.layers)...); err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
