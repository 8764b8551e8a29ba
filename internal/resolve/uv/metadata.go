package uv

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/csv"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
)

// interpreter matches the scripts that neither uv nor install_wheels.py writes.
var interpreter = regexp.MustCompile(`(?i)^\.\./bin/(python(w|3\.\d+t|[\d.]*)|pypy3?|graalpy)$`)

// formatVersion matches as uv does: the first Wheel-Version among the headers.
var formatVersion = regexp.MustCompile(`\A(?:[^\s:]+:.*\n|[ \t].*\n)*?Wheel-Version:[ \t]*(\d*)\.`)

func checkFormat(text string) error {
	if found := formatVersion.FindStringSubmatch(text); found == nil || found[1] != "1" {
		return errors.New("its WHEEL has no Wheel-Version 1.x, the only one that installers support")
	}
	return nil
}

// checkRecord requires rows that uv can read. They may be wrong: an image has new ones.
func checkRecord(text string) error {
	r := csv.NewReader(strings.NewReader(newlines(text)))
	r.LazyQuotes = true
	rows, err := r.ReadAll()
	for i, row := range rows {
		if len(row) < 3 || strings.Trim(row[2], "0123456789") != "" {
			err = cmp.Or(err, fmt.Errorf("row %d is not a path, hash and size", i+1))
		}
	}
	if err != nil {
		return fmt.Errorf("its RECORD can't be read: %w", err)
	}
	return nil
}

// newlines converts line ends to Unix ones.
func newlines(text string) string { return strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text) }

var requiresDist = regexp.MustCompile(`(?mi)^Requires-Dist:\s*([A-Z0-9][A-Z0-9._-]*)`)

// required returns the projects that METADATA requires.
func required(metadata string) []string {
	head, _, _ := strings.Cut(strings.ReplaceAll(metadata, "\r\n", "\n"), "\n\n")
	found := requiresDist.FindAllStringSubmatch(head, -1)
	names := make([]string, len(found))
	for i := range found {
		names[i] = normal(found[i][1])
	}
	return names
}

// header returns the first value of a key of METADATA; "" if there is none.
func header(metadata, key string) string {
	for line := range strings.Lines(metadata) {
		line = strings.TrimRight(line, "\r\n")
		name, value, _ := strings.Cut(line, ":")
		switch {
		case line == "": // the description follows
			return ""
		case strings.EqualFold(name, key):
			return strings.TrimSpace(value)
		}
	}
	return ""
}

var entryPoint = regexp.MustCompile(`^[A-Za-z_][\w.]*[ \t]*:[ \t]*[A-Za-z_][\w.]*$`)

// entryScripts returns the programs that entry points become.
func entryScripts(text string) (scripts []member, err error) {
	sections, err := entryPoints(text)
	problems := []error{err}
	for _, section := range []string{"console_scripts", "gui_scripts"} {
		for _, name := range slices.Sorted(maps.Keys(sections[section])) {
			value := sections[section][name]
			object, _, _ := strings.Cut(value, "[")
			switch {
			case !fs.ValidPath(name) || path.Base(name) != name || name == "." || strings.HasPrefix(name, ".wh."):
				problems = append(problems, fmt.Errorf("its script %q is not a plain name", name))
			case !entryPoint.MatchString(strings.TrimRight(object, " ")):
				problems = append(problems, fmt.Errorf("its script %q can't start: %q names no function of a module (module:function)", name, value))
			default:
				hash := sha256.Sum256([]byte(value))
				scripts = append(scripts, member{
					Target: outside + "bin/" + name, Size: uint64(len(value)), Sum: binary.BigEndian.Uint32(hash[:]),
				})
			}
		}
	}
	return scripts, errors.Join(problems...)
}

// entryPoints reads entry_points.txt as uv and configparser do: the values of each section
// by name.
func entryPoints(text string) (map[string]map[string]string, error) {
	sections := map[string]map[string]string{}
	var section map[string]string
	name, indent, number := "", 0, 0
	for line := range strings.Lines(newlines(text)) {
		number++
		words := strings.TrimSpace(line)
		if words == "" || words[0] == '#' || words[0] == ';' {
			continue
		}
		at := strings.Index(line, words)
		if name != "" && at > indent {
			section[name] += "\n" + words
			continue
		}
		indent = at
		end := strings.LastIndex(words, "]")
		isSection := words[0] == '[' && end > 1
		key, value, isPair := strings.Cut(words, "=")
		name = strings.TrimSpace(key)
		_, twice := section[name]
		switch {
		case isSection && sections[words[1:end]] == nil:
			section, name = map[string]string{}, ""
			sections[words[1:end]] = section
		case isSection || section == nil || !isPair || name == "" || twice:
			return nil, fmt.Errorf("line %d of its entry_points.txt, %q, is neither a new section nor a new NAME = VALUE in one", number, words)
		default:
			section[name] = strings.TrimSpace(value)
		}
	}
	return sections, nil
}
