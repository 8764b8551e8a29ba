package testworld

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
)

// Wheel describes a wheel to make. Only the name is required.
type Wheel struct {
	Name           string
	Version        string   // "1.0"
	Tag            string   // "py3-none-any"
	Build          string   // its build number
	Requires       []string // as "numpy>=1.24; extra == 'fast'"
	Extras         []string
	RequiresPython string
	Files          map[string]string // by path in the wheel; a package named like the project
	Scripts        map[string]string // console scripts, as "demo.cli:main" by name
	Data           map[string]string // by path below the .data directory, as "scripts/tool"
	Size           int64             // of a blob.bin in the package, which does not compress
	Sparse         bool              // the blob is zeros, which take no space on disk
	Yanked         string            // the reason; "" if it wasn't
	DistInfo       string            // name of the .dist-info directory, if it is unusual
	Extra          []Entry           // what no valid wheel has

	// Record corrupts the lines of RECORD.
	Record func(lines []string) []string
}

// Entry is a member of a wheel whose name and mode are not checked. A symlink's content is its
// target.
type Entry struct {
	Name    string
	Mode    fs.FileMode
	Content string
}

func (w Wheel) withDefaults() Wheel {
	w.Version = or(w.Version, "1.0")
	w.Tag = or(w.Tag, "py3-none-any")
	w.DistInfo = or(w.DistInfo, escaped(w.Name)+"-"+w.Version+".dist-info")
	if w.Files == nil {
		w.Files = map[string]string{escaped(w.Name) + "/__init__.py": versionModule(w.Version)}
	}
	return w
}

func versionModule(version string) string { return fmt.Sprintf("__version__ = %q\n", version) }

// escaped returns a project's name as in the names of files and modules.
func escaped(name string) string { return joined(name, "_") }

// normalised returns a project's name as in the URL of its page.
func normalised(name string) string { return strings.ToLower(joined(name, "-")) }

func joined(name, separator string) string {
	parts := strings.FieldsFunc(name, func(r rune) bool { return strings.ContainsRune("-_.", r) })
	return strings.Join(parts, separator)
}

// FileName returns the name of the wheel's file.
func (w Wheel) FileName() string {
	w = w.withDefaults()
	parts := []string{escaped(w.Name), w.Version}
	if w.Build != "" {
		parts = append(parts, w.Build)
	}
	return strings.Join(append(parts, w.Tag), "-") + ".whl"
}

func (w Wheel) listing() listing {
	w = w.withDefaults()
	return listing{
		project: w.Name, version: w.Version, requiresPython: w.RequiresPython, yanked: w.Yanked, metadata: w.metadata(),
	}
}

// metadata returns the METADATA file.
func (w Wheel) metadata() string {
	return metadata{w.Name, w.Version, w.RequiresPython, w.Extras, w.Requires}.String()
}

// metadata is the core metadata of a distribution.
type metadata struct {
	name, version, requiresPython string
	extras, requires              []string
}

func (m metadata) String() string {
	lines := []string{"Metadata-Version: 2.1", "Name: " + m.name, "Version: " + m.version, "Summary: made for a test"}
	if m.requiresPython != "" {
		lines = append(lines, "Requires-Python: "+m.requiresPython)
	}
	for _, e := range m.extras {
		lines = append(lines, "Provides-Extra: "+e)
	}
	for _, r := range m.requires {
		lines = append(lines, "Requires-Dist: "+r)
	}
	return strings.Join(lines, "\n") + "\n"
}

// wheelFile returns the WHEEL file, with compressed tags expanded.
func (w Wheel) wheelFile() string {
	lines := []string{"Wheel-Version: 1.0", "Generator: testworld"}
	root := "false"
	if strings.HasSuffix(w.Tag, "-any") {
		root = "true"
	}
	lines = append(lines, "Root-Is-Purelib: "+root)
	for _, tag := range expanded(w.Tag) {
		lines = append(lines, "Tag: "+tag)
	}
	if w.Build != "" {
		lines = append(lines, "Build: "+w.Build)
	}
	return strings.Join(lines, "\n") + "\n"
}

// expanded turns "py2.py3-none-any" into "py2-none-any" and "py3-none-any".
func expanded(tag string) []string {
	tags := []string{""}
	for set := range strings.SplitSeq(tag, "-") {
		var longer []string
		for _, t := range tags {
			for part := range strings.SplitSeq(set, ".") {
				longer = append(longer, strings.TrimPrefix(t+"-"+part, "-"))
			}
		}
		tags = longer
	}
	return tags
}

func (w Wheel) entryPoints() string {
	lines := make([]string, 0, len(w.Scripts)+1)
	lines = append(lines, "[console_scripts]")
	for _, name := range slices.Sorted(maps.Keys(w.Scripts)) {
		lines = append(lines, name+" = "+w.Scripts[name])
	}
	return strings.Join(lines, "\n") + "\n"
}
