package testworld

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"time"
)

// zipStart returns the oldest date that a zip can hold.
func zipStart() time.Time { return time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC) }

// packed is a member to add to a wheel.
type packed struct {
	name    string
	mode    fs.FileMode
	stored  bool // not deflated
	content io.Reader
}

// Write writes the wheel to a path on disk. A big one is never in memory.
func (w Wheel) Write(t testing.TB, path string) {
	t.Helper()
	writeFile(t, path, w.writeTo)
}

// Bytes returns the wheel.
func (w Wheel) Bytes(t testing.TB) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := w.writeTo(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// writeFile writes a file with holes in place of zeros.
func writeFile(t testing.TB, path string, write func(io.Writer) error) {
	t.Helper()
	file, err := os.Create(path) //nolint:gosec // a test says where
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := write(&sparseWriter{file}); err != nil {
		t.Fatalf("writing %s: %v", path, err)
	}
}

func (w Wheel) writeTo(out io.Writer) error {
	w = w.withDefaults()
	archive := zip.NewWriter(out)
	var record []string
	for _, m := range w.members() {
		line, err := m.add(archive)
		if err != nil {
			return err
		}
		if !m.mode.IsDir() {
			record = append(record, line)
		}
	}
	name := path.Join(w.DistInfo, "RECORD")
	record = append(record, csvField(name)+",,")
	if w.Record != nil {
		record = w.Record(record)
	}
	if _, err := text(name, strings.Join(record, "\n")+"\n").add(archive); err != nil {
		return err
	}
	return archive.Close()
}

// members returns the members in the order of the format: .dist-info is last.
func (w Wheel) members() []packed {
	var list []packed
	for _, name := range slices.Sorted(maps.Keys(w.Files)) {
		list = append(list, text(name, w.Files[name]))
	}
	if w.Size > 0 {
		list = append(list, packed{escaped(w.Name) + "/blob.bin", 0o644, true, w.blob()})
	}
	for _, name := range slices.Sorted(maps.Keys(w.Data)) {
		list = append(list, text(path.Join(escaped(w.Name)+"-"+w.Version+".data", name), w.Data[name]))
	}
	for _, e := range w.Extra {
		list = append(list, packed{e.Name, e.Mode, false, strings.NewReader(e.Content)})
	}
	list = append(list, text(w.DistInfo+"/METADATA", w.metadata()), text(w.DistInfo+"/WHEEL", w.wheelFile()))
	if len(w.Scripts) > 0 {
		list = append(list, text(w.DistInfo+"/entry_points.txt", w.entryPoints()))
	}
	return list
}

func text(name, content string) packed {
	return packed{name, 0o644, false, strings.NewReader(content)}
}

// add returns the member's line of RECORD.
func (m packed) add(archive *zip.Writer) (string, error) {
	header := &zip.FileHeader{Name: m.name, Method: zip.Deflate, Modified: zipStart()}
	if m.stored {
		header.Method = zip.Store
	}
	header.SetMode(m.mode)
	out, err := archive.CreateHeader(header)
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	size, err := io.Copy(io.MultiWriter(out, sum), m.content)
	hash := base64.RawURLEncoding.EncodeToString(sum.Sum(nil))
	return fmt.Sprintf("%s,sha256=%s,%d", csvField(m.name), hash, size), err
}

func csvField(s string) string {
	if !strings.ContainsAny(s, ",\"\n") {
		return s
	}
	return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
}
