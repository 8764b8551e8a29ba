package reqfile

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"lamina.build/internal/failure"
	"lamina.build/internal/resolve/userinfo"
	"lamina.build/lock"
)

const project = `([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(\[[\w\s.,-]*\])?`

var (
	named    = regexp.MustCompile(`^` + project + `\s*([(=<>!~].*)?$`)
	direct   = regexp.MustCompile(`^(?:` + project + `\s*@\s*)?(\S.*)$`)
	filelike = regexp.MustCompile(`(?i)^[./~]|[/\\:@]|\.(whl|zip|tgz|tbz|txz|tlz|tar(\.\w+)?)(\s*\[.*\])?$`)
	hidden   = regexp.MustCompile(`\s[-#]\S*`)
	loose    = regexp.MustCompile(`\s*([][(),]|[=<>!~]+)\s*`)
	egg      = regexp.MustCompile(`([#&])egg=` + project + `(?:&|$)`)
	below    = regexp.MustCompile(`[#&]subdirectory=([^&]*)`)
	wheel    = regexp.MustCompile(`(?:^|/)(\w[\w.]*)-[^/]*\.whl$`)
	revision = regexp.MustCompile(`^git\+(.+?://[^/]*/.*?)(?:@([^@]*))?$`)
	address  = regexp.MustCompile(`^(?:(?:git\+)?https?://|git\+ssh://(?:[\w.-]+@)?)(?:\[[0-9A-Fa-f:.]+\]|\w[\w.-]*)(?::\d{1,5})?(?:[/?#][^\x00-\x20"\\;<>^|\x60\x7f-\x{10FFFF}]*)?$`)
)

// item reads one requirement, and adds it once.
func (r *reader) item(l line, text string, hashes []string) error {
	req, err := r.requirement(l, text)
	i := slices.IndexFunc(hashes, func(h string) bool { return !trusted.MatchString(h) || req.Kind == Git })
	if i >= 0 && err == nil {
		err = fmt.Errorf("--hash: %s is not a complete md5, sha256, sha384, sha512 or blake2b of a file", quote(hashes[i]))
	}
	slices.Sort(hashes)
	req.Hashes, req.File, req.At = slices.Compact(hashes), l.file, l.number
	switch {
	case r.again(req.Text(), l.constraint):
	case l.constraint:
		r.set.Constraints = append(r.set.Constraints, req)
	default:
		r.set.Requirements = append(r.set.Requirements, req)
	}
	return err
}

// requirement reads a line up to its options.
func (r *reader) requirement(l line, text string) (req Requirement, err error) {
	text, marker, _ := strings.Cut(text, ";")
	text = strings.TrimSpace(text)
	if m := named.FindStringSubmatch(text); m != nil && !filelike.MatchString(text) {
		req = Requirement{Line: tidy(text), Name: lock.NormalName(m[1]), Kind: Named, Specifiers: strings.Trim(tidy(m[3]), "()")}
	} else if m := direct.FindStringSubmatch(text); m != nil && filelike.MatchString(text) {
		req, err = r.direct(l, m[1], tidy(m[2]), m[3])
	} else {
		err = fmt.Errorf("%s is not a requirement: NAME[EXTRAS]==VERSION, NAME @ URL, or the ./PATH of an archive", quote(text))
	}
	if req.Marker = strings.Join(strings.Fields(marker), " "); req.Marker != "" {
		req.Line += " ; " + req.Marker
	}
	// White space that is not ASCII, or none, hid an option or a comment from the reader.
	if odd := hidden.FindString(req.Line); odd != "" && err == nil {
		err = fmt.Errorf("%s isn't allowed in a requirement", quote(strings.TrimSpace(odd)))
	}
	return req, err
}

// tidy removes white space around operators, and collapses it elsewhere.
func tidy(s string) string {
	return loose.ReplaceAllString(strings.Join(strings.Fields(s), " "), "$1")
}

// direct reads a URL or path, optionally preceded by a name and extras.
func (r *reader) direct(l line, name, extras, place string) (req Requirement, err error) {
	for m := egg.FindStringSubmatch(place); m != nil; m = egg.FindStringSubmatch(place) {
		place = strings.TrimRight(strings.Replace(place, m[0], m[1], 1), "#&")
		if name == "" {
			name, extras = m[2], m[3]
		}
	}
	file, isFile := strings.CutPrefix(place, "file:")
	switch {
	case isFile:
		req, err = r.path(l, name, userinfo.Unquote(file))
	case !scheme.MatchString(place):
		req, err = r.path(l, name, place)
	default:
		req, err = remote(place)
	}
	if name != "" {
		req.Line = name + extras + " @ " + req.Line
	} else if m := wheel.FindStringSubmatch(req.URL + req.Path); m != nil {
		name = m[1]
	}
	req.Name = lock.NormalName(name)
	return req, err
}

// remote reads the URL of an archive or repository.
func remote(text string) (req Requirement, err error) {
	place, _, _ := strings.Cut(text, "#")
	req = Requirement{Line: text, Kind: URL, URL: place}
	if m := revision.FindStringSubmatch(place); m != nil {
		req.Kind, req.URL, req.Ref = Git, m[1], m[2]
	}
	if m := below.FindStringSubmatch(text); m != nil {
		req.Subdirectory = strings.TrimPrefix(path.Join("/", m[1]), "/")
	}
	if !address.MatchString(text) || strings.Contains(strings.ReplaceAll(text, "=", "/")+"/", "/../") {
		err = fmt.Errorf("%s is not a valid https://, http://, git+https:// or git+ssh:// URL", quote(text))
	}
	return req, failure.WithHint(err, percent)
}

// path reads the path of an archive. As in pip and uv, it is relative to the root, not to
// the file that contains it.
func (r *reader) path(l line, name, file string) (req Requirement, err error) {
	if name != "" && strings.HasPrefix(file, "/") {
		if r.frozen = append(r.frozen, l); len(r.frozen) == 1 { // "pip freeze" has many where Conda installed
			err = fmt.Errorf("%q is a path on the machine that wrote this list", path.Clean(file))
		}
		return req, failure.WithHint(err, `replace such paths with versions, as "pip list --format=freeze" does`)
	}
	bare, _, _ := strings.Cut(file, "[")
	clean, info, err := r.find(".", strings.TrimSpace(bare))
	if err == nil && info.IsDir() {
		hint := fmt.Sprintf("write sources = [%q] under [python] of image.toml to install the tree and its dependencies", clean)
		err = failure.WithHint(fmt.Errorf("%q is a directory; a requirement file can only install archives", clean), hint)
	}
	return Requirement{Line: "./" + clean + tidy(file[len(bare):]), Kind: Path, Path: clean}, err
}

// quote repeats part of a line, without a possible password in a URL too malformed to parse.
func quote(s string) string {
	if before, after, ok := strings.Cut(s, "://"); ok && strings.Contains(after, "@") {
		s = before + "://…"
	}
	return fmt.Sprintf("%.100q", s)
}
