package testworld_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lamina.build/internal/test/testworld"
)

// members reads all of a wheel.
func members(t *testing.T, wheel []byte) (files map[string]string, modes map[string]fs.FileMode) {
	t.Helper()
	archive, err := zip.NewReader(bytes.NewReader(wheel), int64(len(wheel)))
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		t.Fatal(err)
	}
	files, modes = map[string]string{}, map[string]fs.FileMode{}
	for _, f := range archive.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files[f.Name], modes[f.Name] = string(data), f.Mode()
		if year := f.Modified.UTC().Year(); year != 1980 {
			t.Errorf("%s is of %d, want 1980", f.Name, year)
		}
	}
	return files, modes
}

// checkRecord compares each member with its line in RECORD, which only RECORD itself lacks.
func checkRecord(t *testing.T, files map[string]string, record string) {
	t.Helper()
	lines, err := csv.NewReader(strings.NewReader(files[record])).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	got, want := map[string]string{}, map[string]string{}
	for _, l := range lines {
		got[l[0]] = l[1] + " " + l[2]
	}
	for name, content := range files {
		sum := sha256.Sum256([]byte(content))
		want[name] = fmt.Sprintf("sha256=%s %d", base64.RawURLEncoding.EncodeToString(sum[:]), len(content))
	}
	want[record] = " "
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("RECORD (-want +got):\n%s", diff)
	}
}

func TestWheelsSayWhatTheyHold(t *testing.T) {
	t.Parallel()
	w := testworld.Wheel{
		Name: "My.Demo-pkg", Version: "2.0", Tag: "cp310.cp311-abi3-manylinux_2_28_x86_64", Build: "3", Size: 1000,
		Requires: []string{"numpy>=1; extra == 'fast'"}, Extras: []string{"fast"}, RequiresPython: ">=3.8",
		Scripts: map[string]string{"demo": "My_Demo_pkg:main"},
		Data:    map[string]string{"scripts/tool": "#!python\n", "data/share/a,b": "x"},
	}
	if got, want := w.FileName(), "My_Demo_pkg-2.0-3-cp310.cp311-abi3-manylinux_2_28_x86_64.whl"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	files, _ := members(t, w.Bytes(t))
	const info = "My_Demo_pkg-2.0.dist-info/"
	checkRecord(t, files, info+"RECORD")
	delete(files, info+"RECORD")
	if n := len(files["My_Demo_pkg/blob.bin"]); n != 1000 {
		t.Errorf("the blob has %d bytes, want 1000", n)
	}
	delete(files, "My_Demo_pkg/blob.bin")
	want := map[string]string{
		"My_Demo_pkg/__init__.py":             "__version__ = \"2.0\"\n",
		"My_Demo_pkg-2.0.data/scripts/tool":   "#!python\n",
		"My_Demo_pkg-2.0.data/data/share/a,b": "x",
		info + "entry_points.txt":             "[console_scripts]\ndemo = My_Demo_pkg:main\n",
		info + "METADATA": "Metadata-Version: 2.1\nName: My.Demo-pkg\nVersion: 2.0\nSummary: made for a test\n" +
			"Requires-Python: >=3.8\nProvides-Extra: fast\nRequires-Dist: numpy>=1; extra == 'fast'\n",
		info + "WHEEL": "Wheel-Version: 1.0\nGenerator: testworld\nRoot-Is-Purelib: false\n" +
			"Tag: cp310-abi3-manylinux_2_28_x86_64\nTag: cp311-abi3-manylinux_2_28_x86_64\nBuild: 3\n",
	}
	if diff := cmp.Diff(want, files); diff != "" {
		t.Errorf("members (-want +got):\n%s", diff)
	}
}

func TestWheelsHaveTheSameBytes(t *testing.T) {
	t.Parallel()
	for _, w := range []testworld.Wheel{{Name: "a"}, {Name: "b", Size: 100_000}, {Name: "c", Size: 100_000, Sparse: true}} {
		name := filepath.Join(t.TempDir(), w.FileName())
		w.Write(t, name)
		written, err := os.ReadFile(name)
		if err != nil || !bytes.Equal(written, w.Bytes(t)) {
			t.Errorf("%s: got other bytes, %v", w.Name, err)
		}
		if w.Size > 0 && int64(len(written)) < w.Size {
			t.Errorf("%s: the blob was compressed to %d bytes", w.Name, len(written))
		}
	}
}

func TestEvilWheels(t *testing.T) {
	t.Parallel()
	w := testworld.Wheel{
		Name: "evil", DistInfo: "EVIL-01.dist-info",
		Extra: []testworld.Entry{
			{Name: "../x", Mode: 0o644, Content: "out"},
			{Name: "evil/link", Mode: fs.ModeSymlink | 0o777, Content: "/etc/passwd"},
			{Name: "evil/dir/", Mode: fs.ModeDir | 0o755},
		},
		Record: func(lines []string) []string { return lines[1:] },
	}
	files, modes := members(t, w.Bytes(t))
	if files["../x"] != "out" || files["evil/link"] != "/etc/passwd" {
		t.Errorf("got %q", files)
	}
	if modes["evil/link"].Type() != fs.ModeSymlink || !modes["evil/dir/"].IsDir() {
		t.Errorf("got %v", modes)
	}
	if record := files["EVIL-01.dist-info/RECORD"]; strings.Contains(record, "__init__") || !strings.Contains(record, "../x,") {
		t.Errorf("got the RECORD %s", record)
	}
}

func TestSparseWheelsTakeNoRoom(t *testing.T) {
	t.Parallel()
	w := testworld.Wheel{Name: "torch", Size: 64 << 20, Sparse: true}
	name := filepath.Join(t.TempDir(), w.FileName())
	w.Write(t, name)
	var info syscall.Stat_t
	if err := syscall.Stat(name, &info); err != nil {
		t.Fatal(err)
	}
	if used := info.Blocks * 512; info.Size < w.Size || used > 1<<20 {
		t.Errorf("a file of %d bytes takes %d of the disk", info.Size, used)
	}
}

func TestSdistsHoldASetup(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		sdist testworld.Sdist
		want  map[string]string
	}{
		{
			testworld.Sdist{Name: "old-demo", Requires: []string{"six"}, Files: map[string]string{"configure": "#!/bin/sh\n"}},
			map[string]string{
				"old_demo-1.0/PKG-INFO": "Metadata-Version: 2.1\nName: old-demo\nVersion: 1.0\nSummary: made for a test\nRequires-Dist: six\n",
				"old_demo-1.0/setup.py": "from setuptools import find_packages, setup\n\n" +
					`setup(name="old-demo", version="1.0", install_requires=["six"], py_modules=["old_demo"], packages=find_packages())` + "\n",
				"old_demo-1.0/old_demo.py": "__version__ = \"1.0\"\n", "old_demo-1.0/configure": "#!/bin/sh\n",
			},
		},
		{
			testworld.Sdist{
				Name: "new", BuildRequires: []string{"worldbackend"}, Backend: "worldbackend",
				Files: map[string]string{"setup.py": "mine", "new/__init__.py": ""},
			},
			map[string]string{
				"new-1.0/PKG-INFO":       "Metadata-Version: 2.1\nName: new\nVersion: 1.0\nSummary: made for a test\n",
				"new-1.0/pyproject.toml": "[build-system]\nrequires = [\"worldbackend\"]\nbuild-backend = \"worldbackend\"\n",
				"new-1.0/setup.py":       "mine", "new-1.0/new/__init__.py": "",
			},
		},
	} {
		if diff := cmp.Diff(test.want, untar(t, test.sdist.Bytes(t))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.sdist.FileName(), diff)
		}
	}
}

func untar(t *testing.T, data []byte) map[string]string {
	t.Helper()
	unpacked, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for r := tar.NewReader(unpacked); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files[h.Name] = string(content)
	}
}
