package debian

import (
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
)

// HostMirrors returns the mirrors of a Debian host's own apt, from /etc/apt below the root of
// fsys. It ignores what it can't read: the host is only one of several sources of mirrors.
func HostMirrors(fsys fs.FS) Mirrors {
	mirrors := Mirrors{}
	lists, _ := fs.Glob(fsys, "etc/apt/sources.list.d/*")
	for _, name := range append([]string{"etc/apt/sources.list"}, lists...) {
		data, err := fs.ReadFile(fsys, name)
		if err != nil {
			continue
		}
		var found []source
		switch path.Ext(name) {
		case ".list":
			found = oneLineSources(string(data))
		case ".sources":
			found = deb822Sources(string(data))
		}
		for _, s := range found {
			s.addTo(mirrors)
		}
	}
	return mirrors
}

// source is an entry of apt's sources.
type source struct {
	urls, suites, components []string
	signedBy                 string
}

var (
	ownSuite = regexp.MustCompile(`^(oldoldstable|oldstable|stable|testing|unstable|sid|bullseye|bookworm|trixie|forky)` +
		`(-updates|-security|/updates|-backports|-proposed-updates)?/?$`)
	ownPath = regexp.MustCompile(`(^|[/:])debian(-security)?(/\d{8}T\d{6}Z)?$`)
)

// addTo adds the mirrors that s has for Debian's own suites. Others publish suites of the
// same names: Debian's are recognized by component and path, or by the key. The signature
// check catches mistakes.
func (s source) addTo(m Mirrors) {
	if !slices.Contains(s.components, "main") {
		return
	}
	for _, address := range s.urls {
		base, err := parseBase(strings.TrimSuffix(address, "/"))
		if err != nil || !ownPath.MatchString(base) && !strings.Contains(s.signedBy, "debian-archive-") {
			continue
		}
		for _, suite := range s.suites {
			if !ownSuite.MatchString(suite) {
				continue
			}
			name := Main
			if strings.HasSuffix(suite, "-security") || strings.Contains(suite, "/updates") {
				name = Security
			}
			if m[name] == "" {
				m[name] = base
			}
		}
	}
}

// oneLineSources reads lines such as "deb [signed-by=…] URL suite component…".
func oneLineSources(text string) []source {
	var found []source
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		rest, isDeb := strings.CutPrefix(strings.TrimSpace(line), "deb")
		if !isDeb || rest == "" || !strings.ContainsAny(rest[:1], " \t") {
			continue
		}
		options := ""
		if rest = strings.TrimSpace(rest); strings.HasPrefix(rest, "[") {
			options, rest, _ = strings.Cut(rest[1:], "]")
		}
		fields := strings.Fields(rest)
		if len(fields) < 3 {
			continue
		}
		found = append(found, source{
			urls: fields[:1], suites: fields[1:2], components: fields[2:], signedBy: options,
		})
	}
	return found
}

// deb822Sources reads paragraphs of "Types: deb", "URIs: …", "Suites: …", with comment lines
// that begin with #.
func deb822Sources(text string) (found []source) {
	field, key := map[string]string{}, ""
	for line := range strings.Lines(text + "\n\n") {
		switch {
		case line[0] == '#':
			continue
		case strings.TrimSpace(line) == "":
			if slices.Contains(strings.Fields(field["types"]), "deb") && boolean(strings.TrimSpace(field["enabled"]), true) {
				found = append(found, source{
					urls: strings.Fields(field["uris"]), suites: strings.Fields(field["suites"]),
					components: strings.Fields(field["components"]), signedBy: field["signed-by"],
				})
			}
			clear(field)
			continue
		case line[0] != ' ' && line[0] != '\t':
			key, line, _ = strings.Cut(line, ":")
			key = strings.ToLower(key)
		}
		field[key] += " " + strings.TrimSpace(line)
	}
	return found
}
