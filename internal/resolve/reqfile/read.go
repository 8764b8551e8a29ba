package reqfile

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"

	"lamina.build/internal/failure"
	"lamina.build/lock"
)

const (
	maxSize = 16 << 20 // of a file: 10,000 items with all their hashes take 5 MB
	percent = "in a URL a space is %20, and in its user and password @ : / ? # are %40 %3A %2F %3F %23"
	known   = "--requirement --constraint --editable --hash --index-url --extra-index-url --find-links --no-index --pre --prefer-binary --require-hashes --no-binary --only-binary --trusted-host --use-feature"
)

var (
	comment    = regexp.MustCompile(`(^|\s)#.*$`)
	scheme     = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*:`)
	outOfPlace = regexp.MustCompile(`\\$|\$\{[A-Z0-9_]+\}|[\x00-\x08\x0a-\x1f\x7f-\x9f\x{2028}\x{2029}\x{fffd}]`)
	editable   = regexp.MustCompile(`^(?:-e|--editable[=\s])\s*["']?(.+?)["']?$`)
	options    = regexp.MustCompile(`^(.*?)((?:^|\s)-.*)?$`)
	option     = regexp.MustCompile(`(--(?:no-index|pre|prefer-binary|require-hashes))(?:\s+|$)|(--[\w-]+|-\w)[=\s]*("[^"]*"|'[^']*'|\S*)|(\S+)`)
	projects   = regexp.MustCompile(`^(?::all:|:none:|[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)$`)
	setup      = regexp.MustCompile(`^(-C|--(config-settings?|(global|install|build)-option))$`)
	trusted    = regexp.MustCompile(`^(?i)(md5:[0-9a-f]{32}|(sha256|blake2b):[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128})$`)
)

// reader gathers a [Set] from files.
type reader struct {
	Options
	set      Set
	seen     map[string]bool // files and items
	frozen   []line          // lines with paths on another machine
	problems []error         // in the order of reading
}

// line is a logical line: continuations joined, without its comment, not empty.
type line struct {
	file       string
	constraint bool
	number     int // of its first physical line
	text       string
}

func (r *reader) problem(l line, err error) {
	if err != nil {
		r.problems = append(r.problems, &Error{l.file, l.number, err})
	}
}

// again reports whether a text was seen before.
func (r *reader) again(text string, constraint bool) bool {
	key := fmt.Sprint(constraint, text)
	found := r.seen[key]
	r.seen[key] = true
	return found
}

// file reads an included file once: another include of it, even a cycle, adds nothing.
func (r *reader) file(l line, name string) error {
	clean, info, err := r.find(path.Dir(l.file), name)
	switch {
	case err != nil || r.again("-r "+clean, l.constraint):
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%q is not a file", clean)
	case info.Size() > maxSize:
		return fmt.Errorf("%q is larger than %d MB", clean, maxSize>>20)
	}
	data, err := fs.ReadFile(r.FS, clean)
	if err == nil { // UTF-8, or by its byte order mark the UTF-16 that PowerShell writes
		data, _, err = transform.Bytes(unicode.BOMOverride(transform.Nop), data)
	}
	if err != nil {
		return fmt.Errorf("reading %q: %w", clean, err)
	}
	r.lines(line{file: clean, constraint: l.constraint}, string(data))
	return nil
}

// find finds a file below the root, by its path relative to a directory.
func (r *reader) find(directory, name string) (clean string, info fs.FileInfo, err error) {
	clean = path.Join(directory, name)
	switch {
	case name == "":
		return "", nil, errors.New("a path is required here")
	case scheme.MatchString(name):
		return "", nil, fmt.Errorf("%s is a URL; keep a copy of it in the directory of image.toml", quote(name))
	case path.IsAbs(name) || strings.HasPrefix(name, "~") || !fs.ValidPath(clean):
		return "", nil, fmt.Errorf("%q leads out of the directory of image.toml", name)
	}
	if info, err = fs.Stat(r.FS, clean); errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%q does not exist", clean)
	}
	return clean, info, err
}

// lines reads logical lines: a backslash continues one on the next line, and as in pip a comment
// ends it. Comments may be in any encoding (PEP 263): nothing else needs more than ASCII.
func (r *reader) lines(l line, text string) {
	physical := strings.Split(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text), "\n")
	var parts []string
	for i, part := range physical {
		more := strings.HasSuffix(part, `\`)
		if strings.HasPrefix(strings.TrimSpace(part), "#") {
			part, more = " "+part, false // so that it matches as a comment after the text that it ends
		} else if more {
			part = strings.Trim(part, `\`)
		}
		if parts = append(parts, part); more && i < len(physical)-1 {
			continue
		}
		l.text = strings.TrimSpace(comment.ReplaceAllString(strings.Join(parts, ""), ""))
		if l.text != "" {
			l.number = i + 2 - len(parts)
			r.line(l)
		}
		parts = parts[:0]
	}
	if l.number == 0 {
		r.set.Notes = append(r.set.Notes, l.file+": it has no requirement or option")
	}
}

// line reads one line: an item with its hashes, or global options.
func (r *reader) line(l line) {
	text, problems := r.set.Take(l.text, r.Env, func(err error) error { return &Error{l.file, l.number, err} })
	r.problems = append(r.problems, problems...)
	if odd := outOfPlace.FindString(text); odd != "" {
		r.problem(l, failure.WithHint(fmt.Errorf("%+q isn't allowed here", odd), "a line is UTF-8 without control characters; ${NAME} is for a URL's user and password; nothing may follow a backslash that joins lines"))
		return
	}
	if m := editable.FindStringSubmatch(text); m != nil {
		r.set.Notes = append(r.set.Notes, fmt.Sprintf("%s:%d: editable becomes an ordinary installation", l.file, l.number))
		text = m[1]
	}
	parts := options.FindStringSubmatch(text)
	var hashes []string
	for _, m := range option.FindAllStringSubmatch(parts[2], -1) {
		name, value := m[1]+m[2]+m[4], strings.Trim(m[3], `"'`)
		switch {
		case parts[1] == "":
			r.problem(l, r.option(l, name, value))
		case name != "--hash":
			r.problem(l, misplaced(m[0]))
		default:
			hashes = append(hashes, strings.ToLower(value))
		}
	}
	if parts[1] != "" {
		r.problem(l, r.item(l, parts[1], hashes))
	}
}

// option applies an option on its own line.
func (r *reader) option(l line, name, value string) (err error) {
	switch name {
	case "-r", "--requirement", "-c", "--constraint":
		l.constraint = strings.HasPrefix(strings.TrimLeft(name, "-"), "c")
		return r.file(l, value)
	case "-i", "--index-url":
		r.set.IndexURL, err = index(value)
	case "--extra-index-url":
		if value, err = index(value); !r.again(name+value, false) {
			r.set.ExtraIndexURLs = append(r.set.ExtraIndexURLs, value)
		}
	case "-f", "--find-links":
		if value, err = r.links(path.Dir(l.file), value); !r.again("-f "+value, false) {
			r.set.FindLinks = append(r.set.FindLinks, value)
		}
	case "--no-index":
		r.set.NoIndex = true
	case "--pre", "--prefer-binary", "--require-hashes":
		r.set.Options = append(r.set.Options, name)
	case "--no-binary", "--only-binary":
		for which := range strings.SplitSeq(value, ",") {
			if !projects.MatchString(which) {
				return fmt.Errorf("%s: %s is neither :all: nor :none: nor a project", name, quote(which))
			}
			r.set.Options = append(r.set.Options, name+"="+lock.NormalName(which))
			if which == ":none:" { // as in pip, it cancels what precedes it
				r.set.Options = slices.DeleteFunc(r.set.Options, func(o string) bool { return strings.HasPrefix(o, name+"=") })
			}
		}
	case "--trusted-host", "--use-feature":
		r.set.Notes = append(r.set.Notes, fmt.Sprintf("%s:%d: %s is ignored: it doesn't affect the lock", l.file, l.number, name))
	default:
		return misplaced(name)
	}
	return err
}

// misplaced says why an option isn't allowed in its position.
func misplaced(text string) error {
	name, _, _ := strings.Cut(strings.ReplaceAll(text, "=", " "), " ")
	switch question := failure.DidYouMean(name, strings.Fields(known)); {
	case setup.MatchString(name):
		return fmt.Errorf("%s can't be used: locked builds have no options", name)
	case question != "" && !slices.Contains(strings.Fields(known), name):
		return fmt.Errorf("unknown option %s%s", quote(name), question)
	}
	return fmt.Errorf("%s is not an option that pip accepts here", quote(name))
}

// index checks the root of a PEP 503 index, which needs no trailing slash.
func index(value string) (string, error) {
	if !strings.HasPrefix(value, "http") || !address.MatchString(value) {
		return "", failure.WithHint(fmt.Errorf("%s is not a URL", quote(value)), "for a directory of wheels, use --find-links; "+percent)
	}
	return strings.TrimRight(value, "/"), nil
}

// links finds a page or directory of links. As in pip, a path is relative to the directory
// of the file, or else to where pip runs, which is the root.
func (r *reader) links(directory, value string) (clean string, err error) {
	if strings.HasPrefix(value, "http") && address.MatchString(value) {
		return value, nil
	}
	if clean, _, err = r.find(directory, strings.TrimPrefix(value, "file:")); err != nil {
		clean, _, err = r.find(".", strings.TrimPrefix(value, "file:"))
	}
	return clean, err
}
