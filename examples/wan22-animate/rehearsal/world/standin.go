package world

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode"
)

// module is a Python module to generate: its imports, in that order, and the names that
// others import from it.
type module struct {
	file    string
	imports []string // "torch", "torch:nn,Tensor", ".relative"
	names   []string
}

// modules reads a table of FILE: IMPORT IMPORT =NAMES. Names that one module imports
// from another are added to the other's.
func modules(table string) []module {
	lines := entries(table)
	list := make([]module, 0, len(lines))
	for _, line := range lines {
		file, imports, _ := strings.Cut(line, ":")
		m := module{file: file}
		for word := range strings.FieldsSeq(imports) {
			if names, ok := strings.CutPrefix(word, "="); ok {
				m.names = strings.Split(names, ",")
			} else {
				m.imports = append(m.imports, word)
			}
		}
		list = append(list, m)
	}
	for i := range list {
		list[i].names = append(list[i].names, wanted(list, list[i].file)...)
	}
	return list
}

// wanted returns the names that modules import from the one in a file. Scripts import
// each other from their own directory, without dots.
func wanted(list []module, file string) []string {
	dotted := strings.ReplaceAll(strings.TrimSuffix(strings.TrimSuffix(file, ".py"), "/__init__"), "/", ".")
	script := strings.TrimSuffix(path.Base(file), ".py")
	var names []string
	for _, m := range list {
		for _, i := range m.imports {
			from, some, ok := strings.Cut(i, ":")
			if !ok || from != dotted && (from != script || path.Dir(m.file) != path.Dir(file)) {
				continue
			}
			for name := range strings.SplitSeq(some, ",") {
				if !slices.Contains(names, name) && name != "*" && !isModule(list, dotted+"."+name) {
					names = append(names, name)
				}
			}
		}
	}
	return names
}

func isModule(list []module, dotted string) bool {
	file := strings.ReplaceAll(dotted, ".", "/")
	return slices.ContainsFunc(list, func(m module) bool { return m.file == file+".py" || m.file == file+"/__init__.py" })
}

// text returns the module's source. Its names come first, since modules import each
// other in cycles.
func (m module) text() string {
	var out strings.Builder
	fmt.Fprintf(&out, "\"\"\"Stands in for a module of the real one, of which it has the imports.\"\"\"\n\n")
	if strings.Contains(" "+strings.Join(m.imports, " "), " .") {
		out.WriteString("from importlib import import_module\n\n")
	}
	out.WriteString(definitions(m.names))
	for _, i := range m.imports {
		from, names, some := strings.Cut(i, ":")
		switch {
		case strings.HasPrefix(i, "."):
			fmt.Fprintf(&out, "import_module(%q, __package__)\n", i)
		case some:
			fmt.Fprintf(&out, "from %s import %s\n", from, strings.ReplaceAll(names, ",", ", "))
		default:
			fmt.Fprintf(&out, "import %s\n", i)
		}
	}
	return out.String()
}

// definitions returns classes and functions that only exist.
func definitions(names []string) string {
	var out strings.Builder
	for _, name := range names {
		if first := []rune(strings.TrimLeft(name, "_"))[0]; unicode.IsUpper(first) {
			fmt.Fprintf(&out, "class %s:\n    pass\n\n\n", name)
		} else {
			fmt.Fprintf(&out, "def %[1]s(*args, **options):\n    raise NotImplementedError(\"a rehearsal has no %[1]s\")\n\n\n", name)
		}
	}
	return out.String()
}
