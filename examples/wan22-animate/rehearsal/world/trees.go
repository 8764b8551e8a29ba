package world

import (
	_ "embed" // the tables
	"maps"
	"path"
	"strings"

	"lamina.build/internal/test/testworld"
)

var (
	//go:embed trees/wan.txt
	wanText string
	//go:embed trees/sam2.txt
	sam2Text string
)

// The repositories' names on GitHub.
const (
	wanName  = "Wan-Video/Wan2.2"
	sam2Name = "facebookresearch/sam2"
)

// tree returns a repository of stand-ins: a module for each real one; those that do more
// than import are written by hand.
func tree(name, table string) map[string]string {
	files := map[string]string{}
	for _, m := range modules(table) {
		files[m.file] = m.text()
	}
	written := below("trees/" + name)
	for file := range files {
		for above := path.Dir(file); above != "."; above = path.Dir(above) {
			if init := above + "/__init__.py"; files[init] == "" && written[init] == "" {
				written[init] = ""
			}
		}
	}
	maps.Copy(files, written)
	return files
}

// wan publishes Wan2.2's repository.
func wan(w *testworld.World) *testworld.Git {
	files := tree("wan", wanText)
	for _, name := range []string{"requirements.txt", "requirements_animate.txt", "requirements_s2v.txt", "INSTALL.md"} {
		files[name] = "# of a stand-in\n"
	}
	for _, name := range []string{"assets/logo.png", "examples/wan_animate/animate/video.mp4", "examples/wan_animate/replace/video.mp4"} {
		files[name] = strings.Repeat(name+"\n", 1000)
	}
	return w.Git(wanName, files)
}

// sam2 publishes sam2's repository, where the settings have links with their old names.
func sam2(w *testworld.World) *testworld.Git {
	g := w.Git(sam2Name, tree("sam2", sam2Text))
	for _, size := range []string{"b+", "l", "s", "t"} {
		g.Symlink("sam2/sam2_hiera_"+size+".yaml", "configs/sam2/sam2_hiera_"+size+".yaml")
	}
	g.Push(nil)
	return g
}
