package python

import (
	"archive/zip"
	"bufio"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/mail"
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
	folders, err := w.members(z)
	if err != nil {
		return nil, fault.New(fault.Usage, err)
	}
	own := slices.DeleteFunc(folders, func(name string) bool { return !strings.HasSuffix(name, ".dist-info") })
	if len(own) != 1 {
		return nil, fault.New(fault.Usage, fmt.Errorf("it is not a wheel: it has %d .dist-info folders", len(own)))
	}
	metadata, err := readMember(z, own[0]+"/METADATA")
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(metadata)
	w.Metadata, w.Requires = hex.EncodeToString(sum[:]), required(string(metadata))
	entries, err := readMember(z, own[0]+"/entry_points.txt")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	scripts, scriptErr := entryScripts(string(entries))
	w.Files = append(w.Files, scripts...)
	return w, fault.New(fault.Usage, errors.Join(checkTitle(d, metadata), scriptErr))
}

// members fills in what a wheel installs, and returns its top-level folders.
func (w *wheel) members(z *zip.Reader) (folders []string, err error) {
	seen := map[string]member{}
	top := map[string]bool{}
	var faults []error
	for _, f := range z.File {
		if strings.HasSuffix(f.Name, "/") {
			continue
		}
		if err := checkEntry(f); err != nil {
			faults = append(faults, err)
			continue
		}
		w.Unpacked += int64(f.UncompressedSize64) //nolint:gosec // no file has more than an int64 of bytes
		m := member{Target: target(f.Name), Size: f.UncompressedSize64, Sum: f.CRC32}
		if twin, twice := seen[f.Name]; twice && twin != m {
			faults = append(faults, fmt.Errorf("it holds %q twice, with different content", f.Name))
		} else if twice {
			continue
		}
		seen[f.Name] = m
		first, rest, nested := strings.Cut(f.Name, "/")
		if nested && rest != "" && !slices.Contains(folders, first) {
			folders = append(folders, first)
		}
		if strings.HasPrefix(m.Target, outside) || !strings.HasSuffix(first, ".dist-info") {
			w.Files = append(w.Files, m)
		}
		if own, _, _ := strings.Cut(m.Target, "/"); !strings.HasSuffix(own, ".dist-info") && own != ".." {
			top[own] = true
		}
	}
	for name := range top {
		w.Top = append(w.Top, name)
	}
	slices.Sort(w.Top)
	return folders, errors.Join(faults...)
}

// target is where an entry of a wheel is installed.
func target(name string) string {
	folder, rest, ok := strings.Cut(name, "/")
	if !ok || !strings.HasSuffix(folder, ".data") {
		return name
	}
	scheme, below, _ := strings.Cut(rest, "/")
	switch scheme {
	case "purelib", "platlib":
		return below
	case "scripts":
		return outside + "bin/" + below
	case "data":
		return outside + below
	}
	return outside + scheme + "/" + strings.TrimSuffix(folder, ".data") + "/" + below
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
	var names []string
	head, _, _ := strings.Cut(strings.ReplaceAll(metadata, "\r\n", "\n"), "\n\n")
	for _, found := range requiresDist.FindAllStringSubmatch(head, -1) {
		names = append(names, normal(found[1]))
	}
	return names
}

// checkTitle wants a wheel to be what its file name says. A file may have got a
// local version when it was released, as flash-attn's do.
func checkTitle(d *distribution, metadata []byte) error {
	// Only headers that mail and METADATA have alike are read.
	message, err := mail.ReadMessage(bufio.NewReader(strings.NewReader(headers(string(metadata)))))
	if err != nil {
		return fmt.Errorf("its METADATA can't be read: %w", err)
	}
	name, version := message.Header.Get("Name"), message.Header.Get("Version")
	d.Version = cmp.Or(d.Version, version)
	fileName, rest, _ := strings.Cut(d.File, "-")
	fileVersion, _, _ := strings.Cut(rest, "-")
	public, _, _ := strings.Cut(fileVersion, "+")
	if normal(name) == normal(fileName) && (sameVersion(version, fileVersion) || sameVersion(version, public)) {
		return nil
	}
	return fmt.Errorf("its file name is of %s %s, and its METADATA is of %s %s", fileName, fileVersion, name, version)
}

// headers are the lines of METADATA that say name and version.
func headers(metadata string) string {
	var kept strings.Builder
	for line := range strings.Lines(metadata) {
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			break
		}
		key, _, _ := strings.Cut(line, ":")
		if strings.EqualFold(key, "Name") || strings.EqualFold(key, "Version") {
			kept.WriteString(line + "\r\n")
		}
	}
	return kept.String() + "\r\n"
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
