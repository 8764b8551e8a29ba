package world

import (
	"embed"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"lamina.build/internal/test/testworld"
)

var (
	//go:embed modules.txt
	modulesText string
	//go:embed all:stubs all:sdists all:trees
	embedded embed.FS
)

// scripts are the programs of wheels that have some; they run the module's function main.
var scripts = map[string][]string{
	"accelerate": {"accelerate", "accelerate-launch"}, "charset-normalizer": {"normalizer"}, "diffusers": {"diffusers-cli"},
	"fonttools": {"fonttools", "ttx"}, "httpx": {"httpx"}, "huggingface-hub": {"hf", "huggingface-cli"}, "imageio": {"imageio_download_bin"},
	"onnx": {"check-model"}, "onnxruntime-gpu": {"onnxruntime_test"}, "runpod": {"runpod"}, "torch": {"torchrun"}, "tqdm": {"tqdm"},
	"transformers": {"transformers-cli"}, "typer": {"typer"}, "uvicorn": {"uvicorn"}, "websockets": {"websockets"},
}

// wheel returns the stand-in for a distribution: all metadata of a real wheel, and
// modules that can be imported.
func (o offer) wheel(libs []library) testworld.Wheel {
	w := testworld.Wheel{
		Name: o.name, Version: o.version, Tag: o.kind, Requires: o.requires, Extras: extras(o.requires), RequiresPython: ">=3.8",
		Size: 1000 * o.megabytes, Files: map[string]string{}, Scripts: map[string]string{},
	}
	o.addModules(w.Files)
	for _, l := range libs {
		if l.of(o.dist, o.like) {
			w.Files[l.file] = sharedObject(l.file, l.needed, l.symbols)
		}
	}
	for name, content := range o.filled("stubs") {
		if w.Files[name] = content; strings.HasPrefix(content, "#!") {
			delete(w.Files, name)
			w.Extra = append(w.Extra, testworld.Entry{Name: name, Mode: 0o755, Content: content})
		}
	}
	top := topOf(o.module)
	for _, name := range scripts[o.name] {
		w.Scripts[name] = top + ":main"
		w.Files[top+"/__init__.py"] += "\n\ndef main() -> None:\n    print(__version__)\n"
	}
	return w
}

func topOf(module string) string {
	top, _, _ := strings.Cut(module, ".")
	return top
}

// addModules adds the distribution's main module, and those of modules.txt, with their
// parent packages.
func (o offer) addModules(files map[string]string) {
	names := map[string][]string{o.module: nil}
	for _, line := range entries(modulesText) {
		head, some, _ := strings.Cut(line, ":")
		if project, dotted, _ := strings.Cut(head, " "); project == o.name {
			names[dotted] = strings.Fields(some)
		}
	}
	// In order: a module's own __init__.py takes precedence over a parent's.
	for _, dotted := range slices.Sorted(maps.Keys(names)) {
		some := names[dotted]
		for above := path.Dir(slashed(dotted)); above != "."; above = path.Dir(above) {
			if file := above + "/__init__.py"; files[file] == "" {
				files[file] = o.above(above)
			}
		}
		text := definitions(some)
		if dotted == o.module {
			text = o.versionLine() + "\n" + text
		}
		files[slashed(dotted)+"/__init__.py"] = text
	}
}

// above returns the __init__.py of a parent package. Several wheels have the same one
// for "nvidia", which is empty.
func (o offer) above(directory string) string {
	if directory == topOf(o.module) && o.module != directory {
		return ""
	}
	return "\n"
}

func slashed(dotted string) string { return strings.ReplaceAll(dotted, ".", "/") }

func (o offer) versionLine() string { return fmt.Sprintf("__version__ = %q\n", o.version) }

// cudaRuntime finds a distribution's CUDA version.
var cudaRuntime = regexp.MustCompile(`nvidia-cuda-runtime-cu12==(\d+\.\d+)`)

// filled returns the embedded files for a distribution, with its values in place of
// placeholders.
func (o offer) filled(directory string) map[string]string {
	files := below(directory + "/" + o.name)
	requires := make([]string, 0, len(o.requires))
	for _, r := range o.requires {
		if !strings.Contains(r, "extra ==") {
			requires = append(requires, "'"+r+"'")
		}
	}
	cuda := ""
	if found := cudaRuntime.FindStringSubmatch(strings.Join(o.requires, "\n")); found != nil {
		cuda = found[1]
	}
	fill := strings.NewReplacer("@VERSION@", o.version, "@CUDA@", cuda, "@REQUIRES@", strings.Join(requires, ", "))
	for name, content := range files {
		files[name] = fill.Replace(content)
	}
	return files
}

// below returns the embedded files of a directory by their paths in it, none if there
// is no such directory.
func below(directory string) map[string]string {
	files := map[string]string{}
	_ = fs.WalkDir(embedded, directory, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return nil //nolint:nilerr // there is no such directory
		case d.Name() == "__pycache__": // Python may have left it
			return fs.SkipDir
		case d.IsDir():
			return nil
		}
		data, err := embedded.ReadFile(name)
		files[strings.TrimPrefix(name, directory+"/")] = string(data)
		return err
	})
	return files
}

// extras returns the extras that requirements mention.
func extras(requires []string) []string {
	found := map[string]bool{}
	for _, r := range requires {
		if _, after, ok := strings.Cut(r, `extra == "`); ok {
			name, _, _ := strings.Cut(after, `"`)
			found[name] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// sdist returns a distribution that must be built.
func (o offer) sdist() testworld.Sdist {
	return testworld.Sdist{Name: o.name, Version: o.version, Requires: o.requires, Files: o.filled("sdists")}
}
