package testworld

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// Deb describes a Debian package to make. Only the name is required.
type Deb struct {
	Name         string
	Version      string // "1.0"
	Architecture string // "all"
	Component    string // "main"
	Compression  string // of its files: ".xz", ".gz" or ".zst"; ".xz"
	Essential    bool
	Fields       []string          // further ones, as "Depends: libc6"
	Files        map[string]string // by absolute path; below a bin directory they are programs
	Entries      []tar.Header      // further ones, unchanged
	Postinst     string            // the script to configure it
	Filename     string            // its path in the repository, if that differs from Debian's
	Made         []byte            // an existing .deb; an index then has only Fields
	Control      map[string]string // further control files: "preinst", "templates"
}

func (d Deb) withDefaults() Deb {
	d.Version = or(d.Version, "1.0")
	d.Architecture = or(d.Architecture, "all")
	d.Component = or(d.Component, "main")
	d.Compression = or(d.Compression, ".xz")
	return d
}

func or(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}

// Path returns the path of the package in a repository's pool.
func (d Deb) Path() string {
	if d.Filename != "" {
		return d.Filename
	}
	d = d.withDefaults()
	_, version, hasEpoch := strings.Cut(d.Version, ":")
	if !hasEpoch {
		version = d.Version
	}
	return fmt.Sprintf("pool/%s/%s/%s/%s_%s_%s.deb", d.Component, d.Name[:1], d.Name, d.Name, version, d.Architecture)
}

// control returns the package's own paragraph.
func (d Deb) control() string {
	fields := []string{"Package: " + d.Name, "Version: " + d.Version, "Architecture: " + d.Architecture}
	if d.Essential {
		fields = append(fields, "Essential: yes")
	}
	fields = append(fields, "Maintainer: Nobody <nobody@deb.example>")
	fields = append(fields, d.Fields...)
	return strings.Join(append(fields, "Description: made for a test"), "\n") + "\n"
}

// Bytes returns the .deb.
func (d Deb) Bytes(t testing.TB) []byte {
	t.Helper()
	d = d.withDefaults()
	if d.Made != nil {
		return d.Made
	}
	var out bytes.Buffer
	control := map[string]string{"/control": d.control()}
	for name, content := range d.Control {
		control["/"+name] = content
	}
	if d.Postinst != "" {
		control["/postinst"] = d.Postinst
	}
	out.WriteString("!<arch>\n")
	member(&out, "debian-binary", []byte("2.0\n"))
	member(&out, "control.tar.gz", Compress(t, ".gz", tree(t, control)))
	member(&out, "data.tar"+d.Compression, Compress(t, d.Compression, tree(t, d.Files, d.Entries...)))
	return out.Bytes()
}

func member(w io.Writer, name string, content []byte) {
	fmt.Fprintf(w, "%-16s%-12d%-6d%-6d%-8s%-10d`\n", name, 0, 0, 0, "100644", len(content))
	_, _ = w.Write(content)
	if len(content)%2 == 1 {
		_, _ = io.WriteString(w, "\n")
	}
}

// tree returns a tar of files and the directories above them, and of entries.
func tree(t testing.TB, files map[string]string, entries ...tar.Header) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	add := func(h *tar.Header, content string) {
		h.Format = tar.FormatGNU
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, content); err != nil {
			t.Fatal(err)
		}
	}
	add(&tar.Header{Name: "./", Typeflag: tar.TypeDir, Mode: 0o755}, "")
	done := map[string]bool{"/": true}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		for _, dir := range parents(name) {
			if !done[dir] {
				add(&tar.Header{Name: "." + dir + "/", Typeflag: tar.TypeDir, Mode: 0o755}, "")
				done[dir] = true
			}
		}
		mode := int64(0o644)
		if strings.HasSuffix(path.Dir(name), "bin") || slices.Contains([]string{"/preinst", "/postinst", "/config"}, name) {
			mode = 0o755
		}
		add(&tar.Header{Name: "." + name, Typeflag: tar.TypeReg, Mode: mode, Size: int64(len(files[name]))}, files[name])
	}
	for i := range entries {
		add(&entries[i], "")
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func parents(name string) []string {
	var list []string
	for dir := path.Dir(name); dir != "/"; dir = path.Dir(dir) {
		list = append([]string{dir}, list...)
	}
	return list
}

// Compress compresses data according to the suffix of a file name: ".gz", ".xz", ".zst" or none.
func Compress(t testing.TB, suffix string, data []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	var w io.WriteCloser
	var err error
	switch suffix {
	case "":
		return data
	case ".gz":
		w = gzip.NewWriter(&out)
	case ".xz":
		w, err = xz.NewWriter(&out)
	case ".zst":
		w, err = zstd.NewWriter(&out)
	default:
		t.Fatalf("compression %q is not known", suffix)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
