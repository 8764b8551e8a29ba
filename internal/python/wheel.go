package python

import (
	"archive/zip"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"deps.dev/util/semver"

	"lamina.build/internal/fault"
)

// wheel is what the directory of a wheel and its metadata say, without its
// content: https://packaging.python.org/en/latest/specifications/binary-distribution-format/.
type wheel struct {
	Unpacked int64    // bytes of all files
	Top      []string // names below site-packages, but for the wheel's own metadata
	Files    []member // what is installed, by where
	Metadata string   // sha256 of METADATA
	Requires []string // projects, whatever for
	Name     string   // as METADATA has it
	Version  string   // likewise
}

// member is a file that a wheel installs. Equal sums and sizes are equal files,
// but for an attacker's, whom the check after the build finds.
type member struct {
	Target string // below site-packages; "bin/NAME" and the like behind "../" elsewhere
	Size   uint64
	Sum    uint32 // CRC-32
}

// outside is where what isn't below site-packages has its place.
const outside = "../"

// maxMetadata bounds what is read of a wheel's metadata.
const maxMetadata = 8 << 20

// readWheel looks into a wheel. What pip or uv would refuse, or what would lie
// where no wheel has a say, is an error that names the entry.
func readWheel(d *distribution, r io.ReaderAt, size int64) (*wheel, error) {
	z, err := zip.NewReader(r, size)
	if errors.Is(err, zip.ErrFormat) || errors.Is(err, zip.ErrChecksum) {
		return nil, fault.New(fault.Usage, fmt.Errorf("it is not a wheel: %w", err))
	}
	if err != nil {
		return nil, err
	}
	w := &wheel{}
	own := distInfo(z)
	if len(own) != 1 {
		return nil, fault.New(fault.Usage, fmt.Errorf("it is not a wheel: it has %d .dist-info folders", len(own)))
	}
	if err = w.members(z, strings.TrimSuffix(own[0], ".dist-info")); err != nil {
		return nil, fault.New(fault.Usage, err)
	}
	metadata, err := readMember(z, own[0]+"/METADATA")
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(metadata)
	w.Metadata, w.Name, w.Version = hex.EncodeToString(sum[:]), header(metadata, "Name"), header(metadata, "Version")
	w.Requires = required(string(metadata))
	entries, err := readMember(z, own[0]+"/entry_points.txt")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	scripts, scriptErr := entryScripts(string(entries))
	w.Files = append(w.Files, scripts...)
	return w, fault.New(fault.Usage, errors.Join(w.checkTitle(d), scriptErr))
}

// distInfo are the folders that hold metadata.
func distInfo(z *zip.Reader) []string {
	var folders []string
	for _, f := range z.File {
		first, rest, _ := strings.Cut(f.Name, "/")
		if strings.HasSuffix(first, ".dist-info") && rest != "" && !slices.Contains(folders, first) {
			folders = append(folders, first)
		}
	}
	return folders
}

// members fills in what a wheel installs. title is what its two folders are called
// by, TITLE.dist-info and TITLE.data.
func (w *wheel) members(z *zip.Reader, title string) error {
	seen := map[string]member{}
	top := map[string]bool{}
	var faults []error
	for _, f := range z.File {
		if strings.HasSuffix(f.Name, "/") {
			continue
		}
		where, err := target(f.Name, title)
		if err = cmp.Or(checkEntry(f), err); err != nil {
			faults = append(faults, err)
			continue
		}
		w.Unpacked += int64(f.UncompressedSize64) //nolint:gosec // no file has more than an int64 of bytes
		m := member{Target: where, Size: f.UncompressedSize64, Sum: f.CRC32}
		if twin, twice := seen[f.Name]; twice && twin != m {
			faults = append(faults, fmt.Errorf("it holds %q twice, with different content", f.Name))
		} else if twice {
			continue
		}
		seen[f.Name] = m
		first, _, _ := strings.Cut(m.Target, "/")
		if first == title+".dist-info" {
			continue
		}
		w.Files = append(w.Files, m)
		if first != ".." {
			top[first] = true
		}
	}
	w.Top = slices.Sorted(maps.Keys(top))
	return errors.Join(faults...)
}

// target is where an entry of a wheel is installed.
func target(name, title string) (string, error) {
	rest, ok := strings.CutPrefix(name, title+".data/")
	if !ok {
		return name, nil
	}
	scheme, below, _ := strings.Cut(rest, "/")
	switch {
	case below == "":
	case scheme == "purelib", scheme == "platlib":
		return below, nil
	case scheme == "scripts":
		return outside + "bin/" + below, nil
	case scheme == "data":
		return outside + below, nil
	case scheme == "headers":
		return outside + "include/" + title + "/" + below, nil
	}
	return "", fmt.Errorf("it holds %q, which nobody knows where to install", name)
}

// checkEntry refuses what no file below a folder is called, or what isn't one.
func checkEntry(f *zip.File) error {
	parts := strings.Split(f.Name, "/")
	switch {
	case !fs.ValidPath(f.Name) || strings.ContainsAny(f.Name, "\\\x00") || slices.Contains(parts, ".."):
		return fmt.Errorf("it holds %q, which no file below a folder is called", f.Name)
	case f.Mode()&fs.ModeType != 0:
		return fmt.Errorf("it holds %q, which is not a regular file", f.Name)
	}
	for _, part := range parts {
		switch {
		case strings.HasPrefix(part, ".wh."):
			return fmt.Errorf("it holds %q: names with .wh. in front remove files of an image", f.Name)
		case len(part) > 255:
			return fmt.Errorf("it holds a file whose name has %d bytes", len(part))
		}
	}
	return nil
}

func readMember(z *zip.Reader, name string) ([]byte, error) {
	f, err := z.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.New(fault.Usage, fmt.Errorf("it is not a wheel: it has no %s: %w", name, fs.ErrNotExist))
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxMetadata))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	return data, nil
}

var requiresDist = regexp.MustCompile(`(?mi)^Requires-Dist:\s*([A-Z0-9][A-Z0-9._-]*)`)

// required are the projects that METADATA names as requirements.
func required(metadata string) []string {
	head, _, _ := strings.Cut(strings.ReplaceAll(metadata, "\r\n", "\n"), "\n\n")
	found := requiresDist.FindAllStringSubmatch(head, -1)
	names := make([]string, len(found))
	for i := range found {
		names[i] = normal(found[i][1])
	}
	return names
}

// checkTitle wants a wheel to be what its file name says. A file may have got a
// local version when it was released, as flash-attn's do.
func (w *wheel) checkTitle(d *distribution) error {
	d.Version = cmp.Or(d.Version, w.Version)
	name, rest, _ := strings.Cut(d.File, "-")
	version, _, _ := strings.Cut(rest, "-")
	public, _, _ := strings.Cut(version, "+")
	if w.Name != "" && normal(w.Name) == normal(name) && (sameVersion(w.Version, version) || sameVersion(w.Version, public)) {
		return nil
	}
	return fault.New(fault.Usage, fmt.Errorf("its file name is of %s %s, and its METADATA is of %s %s", name, version, w.Name, w.Version))
}

// header returns the value of the first line of METADATA with a key; "" where there
// is none.
func header(metadata []byte, key string) string {
	for line := range strings.Lines(string(metadata)) {
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

// sameVersion compares as PEP 440 does: 1.0 and 1.0.0 are one version.
func sameVersion(a, b string) bool {
	return a == b || semver.PyPI.Compare(a, b) == 0
}

var entryPoint = regexp.MustCompile(`^[A-Za-z_][\w.]*\s*:\s*[A-Za-z_][\w.]*$`)

// entryScripts are the programs that entry points become.
func entryScripts(text string) (scripts []member, err error) {
	var faults []error
	section := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			section = strings.Trim(line, "[] ")
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		if !ok || strings.HasPrefix(line, "#") || section != "console_scripts" && section != "gui_scripts" {
			continue
		}
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		object, _, _ := strings.Cut(value, "[")
		switch {
		case !fs.ValidPath(name) || path.Base(name) != name || name == ".":
			faults = append(faults, fmt.Errorf("its script %q is not a plain name", name))
		case !entryPoint.MatchString(strings.TrimSpace(object)):
			faults = append(faults, fmt.Errorf("its script %q can't start: %q names no function of a module (module:function)", name, value))
		default:
			hash := sha256.Sum256([]byte(value))
			scripts = append(scripts, member{
				Target: outside + "bin/" + name, Size: uint64(len(value)),
				Sum: uint32(hash[0])<<24 | uint32(hash[1])<<16 | uint32(hash[2])<<8 | uint32(hash[3]),
			})
		}
	}
	return scripts, errors.Join(faults...)
}
