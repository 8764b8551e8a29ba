package uv

import (
	"archive/zip"
	"cmp"
	"compress/flate"
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
	"unicode/utf8"

	"lamina.build/internal/failure"
	"lamina.build/internal/humanize"
	"lamina.build/internal/resolve/license"
	"lamina.build/internal/resolve/pep508"
)

// wheel has the directory and metadata of a wheel, without its content:
// https://packaging.python.org/en/latest/specifications/binary-distribution-format/.
type wheel struct {
	Unpacked int64    // bytes of all files
	Top      []string // names below site-packages, without the wheel's own metadata
	Files    []member // installed files
	Metadata string   // sha256 of METADATA
	License  string   // SPDX expression for the license in METADATA
	Requires []string // projects, under any condition
	Name     string   // as METADATA has it
	Version  string   // likewise
}

// member is a file that a wheel installs. Equal sums and sizes mean equal files, except for
// an attacker's, which the check after the build finds.
type member struct {
	Target string // below site-packages, or "../" with "bin/NAME" and the like
	Size   uint64
	Sum    uint32 // CRC-32
}

// outside is the prefix of targets that are not below site-packages.
const outside = "../"

// maxMetadata limits the size of a metadata file.
const maxMetadata = 64 << 20

// readWheel inspects a wheel. An entry that pip or uv would reject, or that would be
// installed outside a wheel's own directories, is an error that names it.
func readWheel(d *distribution, r io.ReaderAt, size int64) (*wheel, error) {
	z, err := openZip(r, size)
	if err != nil {
		return nil, err
	}
	w := &wheel{}
	own := distInfo(z)
	if len(own) != 1 {
		return nil, failure.New(failure.Usage, fmt.Errorf("it is not a wheel: it has %d .dist-info directories", len(own)))
	}
	if err = w.members(z, strings.TrimSuffix(own[0], ".dist-info")); err != nil {
		return nil, failure.New(failure.Usage, err)
	}
	read := map[string]string{}
	for _, name := range []string{"METADATA", "WHEEL", "RECORD", "entry_points.txt"} {
		data, err := readMember(z, own[0]+"/"+name)
		switch {
		case errors.Is(err, fs.ErrNotExist) && name == "entry_points.txt":
		case err != nil:
			return nil, err
		case name != "METADATA" && !utf8.Valid(data):
			return nil, failure.New(failure.Usage, fmt.Errorf("its %s is not UTF-8", name))
		}
		read[name] = string(data)
	}
	metadata := read["METADATA"]
	sum := sha256.Sum256([]byte(metadata))
	w.Metadata, w.Name, w.Version = hex.EncodeToString(sum[:]), header(metadata, "Name"), header(metadata, "Version")
	w.Requires, w.License = required(metadata), license.OfMetadata(metadata)
	scripts, scriptErr := entryScripts(read["entry_points.txt"])
	w.Files = append(w.Files, scripts...)
	for _, m := range w.Files {
		if interpreter.MatchString(m.Target) {
			scriptErr = errors.Join(scriptErr, fmt.Errorf("its script %s has the name of a Python interpreter", path.Base(m.Target)))
		}
	}
	return w, failure.New(failure.Usage, errors.Join(w.checkTitle(d), checkFormat(read["WHEEL"]), checkRecord(read["RECORD"]), scriptErr))
}

// distInfo returns the directories of metadata.
func distInfo(z *zip.Reader) []string {
	var directories []string
	for _, f := range z.File {
		first, rest, _ := strings.Cut(f.Name, "/")
		if strings.HasSuffix(first, ".dist-info") && rest != "" && !slices.Contains(directories, first) {
			directories = append(directories, first)
		}
	}
	return directories
}

// members fills in the files that a wheel installs. title is the prefix of its directories
// TITLE.dist-info and TITLE.data.
func (w *wheel) members(z *zip.Reader, title string) error {
	type content struct {
		sum       uint32
		size      uint64
		isProgram bool
	}
	seen := map[string]content{}
	top := map[string]bool{}
	var problems []error
	for _, f := range z.File {
		if strings.HasSuffix(f.Name, "/") {
			continue
		}
		where, err := target(f.Name, title)
		if err = cmp.Or(checkEntry(f), err); err != nil {
			problems = append(problems, err)
			continue
		}
		w.Unpacked += int64(f.UncompressedSize64)                      //nolint:gosec // see checkBulk
		if slices.Contains(strings.Split(where, "/"), "__pycache__") { // not installed
			continue
		}
		c := content{f.CRC32, f.UncompressedSize64, f.ExternalAttrs>>16&0o111 != 0}
		first, below, _ := strings.Cut(where, "/")
		twin, twice := seen[where]
		seen[where] = c
		isOwn := first == title+".dist-info"
		if twice && twin != c && (!isOwn || below != "RECORD") {
			problems = append(problems, fmt.Errorf("it holds %q twice, with different content", where))
		}
		if twice || isOwn {
			continue
		}
		w.Files = append(w.Files, member{Target: where, Size: f.UncompressedSize64, Sum: f.CRC32})
		if first != ".." {
			top[first] = true
		}
	}
	w.Top = slices.Sorted(maps.Keys(top))
	return errors.Join(problems...)
}

// modules matches where the data of a wheel is among its modules.
var modules = regexp.MustCompile(`^\.\./lib/python3\.\d+/(site|dist)-packages/`)

// target returns the path that an entry of a wheel is installed to.
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
	case scheme == "scripts" && !strings.Contains(below, "/"):
		return outside + "bin/" + below, nil
	case scheme == "data":
		return modules.ReplaceAllString(outside+below, ""), nil
	case scheme == "headers":
		return outside + "include/" + title + "/" + below, nil
	}
	return "", fmt.Errorf("it holds %q, which is in no known install scheme", name)
}

// checkEntry rejects invalid paths and entries that aren't regular files.
func checkEntry(f *zip.File) error {
	parts := strings.Split(f.Name, "/")
	switch {
	case !fs.ValidPath(f.Name) || strings.ContainsAny(f.Name, "\\\x00") || slices.Contains(parts, ".."):
		return fmt.Errorf("it holds %q, which is not a path inside a directory", f.Name)
	case f.Mode()&fs.ModeType != 0:
		return fmt.Errorf("it holds %q, which is not a regular file", f.Name)
	case f.Flags&1 != 0 || f.Method != zip.Store && f.Method != zip.Deflate:
		return fmt.Errorf("it holds %q, which is encrypted, or compressed by an unsupported method", f.Name)
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
		return nil, failure.New(failure.Usage, fmt.Errorf("it is not a wheel: it has no %s: %w", name, fs.ErrNotExist))
	}
	if err != nil {
		return nil, unreadable("reading "+name, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxMetadata+1))
	switch {
	case err != nil:
		return nil, unreadable("reading "+name, err)
	case len(data) > maxMetadata:
		return nil, failure.New(failure.Usage, fmt.Errorf("its %s is larger than %s", name, humanize.Size(maxMetadata)))
	}
	return data, nil
}

// unreadable marks an error as a usage error if the file causes it, not its server.
func unreadable(what string, err error) error {
	said := fmt.Errorf("%s: %w", what, err)
	_, isCorrupt := errors.AsType[flate.CorruptInputError](err)
	if isCorrupt || slices.Contains([]error{zip.ErrFormat, zip.ErrChecksum, io.ErrUnexpectedEOF}, err) {
		return failure.New(failure.Usage, said)
	}
	return said
}

// checkTitle requires the METADATA of a wheel to match its file name. A file may have got a
// local version at its release, as flash-attn's do.
func (w *wheel) checkTitle(d *distribution) error {
	d.Version = cmp.Or(d.Version, w.Version)
	name, rest, _ := strings.Cut(d.File, "-")
	version, _, _ := strings.Cut(rest, "-")
	public, _, _ := strings.Cut(version, "+")
	if w.Name != "" && normal(w.Name) == normal(name) && (pep508.SameVersion(w.Version, version) || pep508.SameVersion(w.Version, public)) {
		return nil
	}
	return failure.New(failure.Usage, fmt.Errorf("its file name is of %s %s, and its METADATA is of %s %s", name, version, w.Name, w.Version))
}
