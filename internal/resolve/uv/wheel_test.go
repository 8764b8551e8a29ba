package uv

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

var testTime = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func read(t *testing.T, file string, data []byte) (*wheel, *distribution, error) {
	t.Helper()
	d := &distribution{File: file, Kind: kindWheel}
	w, err := readWheel(d, bytes.NewReader(data), int64(len(data)))
	return w, d, err
}

const someFile = "my_pkg-1.0-py3-none-any.whl"

func TestReadWheel(t *testing.T) {
	data := wheelOf(t, "My-Pkg", "1.0",
		entry{name: "my_pkg/"}, entry{name: "my_pkg/__init__.py", content: "one"}, entry{name: "my_pkg/deep/x.so", content: "two", mode: 0o755},
		entry{name: "six.py", content: "three"}, entry{name: "my_pkg.libs/libz.so", content: "four"}, entry{name: "other.data/x", content: "of a package"},
		entry{name: "My_Pkg-1.0.data/purelib/pure/__init__.py", content: "five"}, entry{name: "My_Pkg-1.0.data/platlib/plat.py"},
		entry{name: "My_Pkg-1.0.data/scripts/tool", content: "#!python"}, entry{name: "My_Pkg-1.0.data/data/share/man/tool.1"}, entry{name: "My_Pkg-1.0.data/data/lib/python3.11/site-packages/data/x"},
		entry{name: "My_Pkg-1.0.data/headers/x.h"},
		entry{name: "My_Pkg-1.0.dist-info/entry_points.txt", content: "[console_scripts]\n# no comment = x\nrun = my_pkg.cli:main [extra]\n[other]\nnot = a script\n[gui_scripts]\nshow=my_pkg:show.it\n"},
	)
	w, d, err := read(t, someFile, data)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "top-level names", w.Top, []string{"data", "my_pkg", "my_pkg.libs", "other.data", "plat.py", "pure", "six.py"})
	var targets []string
	for _, m := range w.Files {
		targets = append(targets, m.Target)
	}
	equal(t, "files", targets, []string{
		"my_pkg/__init__.py", "my_pkg/deep/x.so", "six.py", "my_pkg.libs/libz.so", "other.data/x", "pure/__init__.py", "plat.py",
		"../bin/tool", "../share/man/tool.1", "data/x", "../include/My_Pkg-1.0/x.h", "../bin/run", "../bin/show",
	})
	equal(t, "METADATA", w.Metadata, sumOf([]byte(metadataOf("My-Pkg", "1.0"))))
	equal(t, "title", w.Name+" "+w.Version+" "+d.Version, "My-Pkg 1.0 1.0")
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	var unpacked int64
	for _, f := range z.File {
		unpacked += int64(f.UncompressedSize64)
	}
	equal(t, "unpacked", w.Unpacked, unpacked)
}

func TestWheelsThatAreNone(t *testing.T) {
	long := strings.Repeat("n", 256)
	// is returns a wheel with different content in one of its own files.
	is := func(name, content string) []entry {
		list := slices.DeleteFunc(own("my-pkg", "1.0"), func(e entry) bool { return strings.HasSuffix(e.name, "/"+name) })
		return append(list, entry{name: "my_pkg-1.0.dist-info/" + name, content: content})
	}
	script := func(line string) []entry { return is("entry_points.txt", "[console_scripts]\n"+line+"\n") }
	with := func(names ...string) []entry {
		list := own("my-pkg", "1.0")
		for _, name := range names {
			list = append(list, entry{name: name, content: "x"})
		}
		return list
	}
	for _, tt := range []struct {
		name    string
		entries []entry
		want    string
	}{
		{"leaves", with("../evil.py"), `it holds "../evil.py", which is not a path inside a directory`},
		{"leaves on the way", with("a/../../evil.py"), `"a/../../evil.py", which is not a path`},
		{"absolute", with("/etc/passwd"), `"/etc/passwd", which is not a path`},
		{"backslash", with(`a\b.py`), `"a\\b.py", which is not a path`},
		{"NUL", with("a\x00b.py"), `"a\x00b.py", which is not a path`},
		{"dot", with("./a.py"), `"./a.py", which is not a path`},
		{"nothing between", with("a//b.py"), `"a//b.py", which is not a path`},
		{"leaves by a scheme", with("my_pkg-1.0.data/scripts/../../x"), "which is not a path inside a directory"},
		{"link", append(with(), entry{name: "a", content: "/etc/passwd", mode: os.ModeSymlink | 0o777}), `it holds "a", which is not a regular file`},
		{"device", append(with(), entry{name: "a", mode: os.ModeDevice | 0o600}), `it holds "a", which is not a regular file`},
		{"whiteout", with("a/.wh.b"), `it holds "a/.wh.b": names with .wh. in front remove files of an image`},
		{"whiteout of a directory", with(".wh..wh..opq"), `names with .wh. in front`},
		{"whiteout by a scheme", with("my_pkg-1.0.data/data/.wh.x"), `names with .wh. in front`},
		{"long name", with("a/" + long), "it holds a file whose name has 256 bytes"},
		{"two at once", with("../a", "/b"), "\n"},
		{"twice, other content", append(with("a.py"), entry{name: "a.py", content: "other"}), `it holds "a.py" twice, with different content`},
		{"scheme that nobody knows", with("my_pkg-1.0.data/other/x"), `it holds "my_pkg-1.0.data/other/x", which is in no known install scheme`},
		{"scheme that is a file", with("my_pkg-1.0.data/purelib"), "which is in no known install scheme"},
		{"no metadata directory", []entry{{name: "a.py", content: "x"}}, "it is not a wheel: it has 0 .dist-info directories"},
		{"two of them", append(with(), own("other", "1.0")...), "it is not a wheel: it has 2 .dist-info directories"},
		{"no METADATA", []entry{{name: "my_pkg-1.0.dist-info/RECORD", content: "x"}}, "it is not a wheel: it has no my_pkg-1.0.dist-info/METADATA"},
		{"a huge METADATA", is("METADATA", metadataOf("my-pkg", "1.0")+"\n"+strings.Repeat(" ", maxMetadata)), "its my_pkg-1.0.dist-info/METADATA is larger than 67.1 MB"},
		{"another name", own("their-pkg", "1.0"), "its file name is of my_pkg 1.0, and its METADATA is of their-pkg 1.0"},
		{"another version", own("my-pkg", "1.1"), "its file name is of my_pkg 1.0, and its METADATA is of my-pkg 1.1"},
		{"a local version of its own", own("my-pkg", "1.0+cu124"), "its METADATA is of my-pkg 1.0+cu124"},
		{"neither name nor version", is("METADATA", "Summary: x\n\nName: my-pkg\nVersion: 1.0\n"), "and its METADATA is of  "},
		{"script without a function", script("run = my_pkg.cli"), `its script "run" can't start: "my_pkg.cli" names no function of a module (module:function)`},
		{"script of no module", script("run = my-pkg.cli:main"), `its script "run" can't start`},
		{"script that calls", script("run = my_pkg:main()"), `its script "run" can't start`},
		{"script that leaves", script("../../evil = my_pkg:main"), `its script "../../evil" is not a plain name`},
		{"script that removes one", script(".wh.sh = my_pkg:main"), `its script ".wh.sh" is not a plain name`},
		{"script in a directory", script("a/b = my_pkg:main"), `its script "a/b" is not a plain name`},
		{"script without a name", script(" = my_pkg:main"), `line 2 of its entry_points.txt, "= my_pkg:main", is neither a new section nor a new NAME = VALUE in one`},
		{"script that is a directory", script(". = my_pkg:main"), `its script "." is not a plain name`},
		{"script that goes on", script("run = my_pkg:main\n  more"), `its script "run" can't start`},
		{"script of the next line", script("run =\n  my_pkg:main"), `its script "run" can't start`},
		{"script called python", script("Python = a:b"), "its script Python has the name of a Python interpreter"},
		{"script called pythonw", script("pythonw = a:b"), "its script pythonw has"},
		{"script called python3.13t", script("python3.13t = a:b"), "its script python3.13t has"},
		{"script called pypy3", script("pypy3 = a:b"), "its script pypy3 has"},
		{"file called python3.11", with("my_pkg-1.0.data/scripts/python3.11"), "its script python3.11 has"},
		{"data called python", with("my_pkg-1.0.data/data/bin/python"), "its script python has"},
		{"script below a directory", with("my_pkg-1.0.data/scripts/a/b"), "which is in no known install scheme"},
		{"section twice", script("[console_scripts]"), `line 2 of its entry_points.txt, "[console_scripts]", is neither`},
		{"script of two", script("a = b:c\na = b:d"), `line 3 of its entry_points.txt, "a = b:d", is neither`},
		{"script without a value", script("a"), `line 2 of its entry_points.txt, "a", is neither`},
		{"entry point of no section", is("entry_points.txt", "a = b:c\n"), `line 1 of its entry_points.txt`},
		{"section without a name", is("entry_points.txt", "[]\n"), `line 1 of its entry_points.txt`},
		{"BOM", is("entry_points.txt", "\ufeff[console_scripts]\n"), `line 1 of its entry_points.txt`},
		{"entry points in Latin-1", script("# \xe9"), "its entry_points.txt is not UTF-8"},
		{"no WHEEL", []entry{{name: "my_pkg-1.0.dist-info/METADATA", content: metadataOf("my-pkg", "1.0")}}, "it is not a wheel: it has no my_pkg-1.0.dist-info/WHEEL"},
		{"no RECORD", own("my-pkg", "1.0")[:2], "it is not a wheel: it has no my_pkg-1.0.dist-info/RECORD"},
		{"empty WHEEL", is("WHEEL", ""), "its WHEEL has no Wheel-Version 1.x"},
		{"format of the future", is("WHEEL", "Tag: x\nWheel-Version: 2.0\nWheel-Version: 1.0\n"), "its WHEEL has no Wheel-Version 1.x"},
		{"format 10", is("WHEEL", "Wheel-Version: 10.0\n"), "its WHEEL has no Wheel-Version 1.x"},
		{"format without a minor", is("WHEEL", "Wheel-Version: 1\n"), "its WHEEL has no Wheel-Version 1.x"},
		{"format in the text", is("WHEEL", "Tag: x\n\nWheel-Version: 1.0\n"), "its WHEEL has no Wheel-Version 1.x"},
		{"WHEEL in Latin-1", is("WHEEL", wheelText+"Generator: \xe9\n"), "its WHEEL is not UTF-8"},
		{"RECORD of one column", is("RECORD", "a.py\n"), "its RECORD can't be read: row 1 is not a path, hash and size"},
		{"RECORD of two columns", is("RECORD", "a.py,\n"), "its RECORD can't be read: row 1"},
		{"RECORD of some columns", is("RECORD", "a.py,,\nb.py\n"), "its RECORD can't be read: record on line 2"},
		{"RECORD with a word for a size", is("RECORD", "a.py,,\nb.py,,-1\n"), "its RECORD can't be read: row 2"},
		{"RECORD in Latin-1", is("RECORD", "\xe9,,\n"), "its RECORD is not UTF-8"},
		{"two ways to one place", append(with("a.py"), entry{name: "my_pkg-1.0.data/purelib/a.py", content: "other"}), `it holds "a.py" twice, with different content`},
		{"two modes of one place", append(with("a.py"), entry{name: "my_pkg-1.0.data/purelib/a.py", content: "x", mode: 0o755}), `it holds "a.py" twice, with different content`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := read(t, someFile, zipped(t, tt.entries...))
			refused(t, err, tt.want)
		})
	}
	t.Run("bzip2", func(t *testing.T) {
		data := wheelOf(t, "my-pkg", "1.0")
		for _, header := range []string{"PK\x01\x02", "PK\x03\x04"} { // of METADATA; the second one has no version of its writer
			at := bytes.Index(data, []byte(header)) + 8 + 2*strings.Count(header, "\x01")
			data[at] = 12
		}
		_, _, err := read(t, someFile, data)
		refused(t, err, `it holds "my_pkg-1.0.dist-info/METADATA", which is encrypted, or compressed by an unsupported method`)
	})
	t.Run("broken", func(t *testing.T) {
		data := wheelOf(t, "my-pkg", "1.0")
		at := bytes.Index(data, []byte("METADATA")) + 10
		copy(data[at:], bytes.Repeat([]byte{0xff}, 20))
		_, _, err := read(t, someFile, data)
		refused(t, err, "reading my_pkg-1.0.dist-info/METADATA: flate: corrupt input")
	})
	t.Run("no zip", func(t *testing.T) {
		_, _, err := read(t, someFile, []byte(strings.Repeat("<html>", 100)))
		refused(t, err, "it is not a wheel: zip: not a valid zip file")
	})
	t.Run("empty", func(t *testing.T) {
		_, _, err := read(t, someFile, nil)
		refused(t, err, "it is not a wheel")
	})
}

func TestTitlesOfWheels(t *testing.T) {
	for _, tt := range []struct{ file, name, version string }{
		{"My.Pkg-1.0-py3-none-any.whl", "my_pkg", "1.0"},
		{"my_pkg-1.0.0-py3-none-any.whl", "my-pkg", "1.0"},
		{"my_pkg-1.0-py3-none-any.whl", "my-pkg", "1.0.0"},
		{"my_pkg-1.0rc1-1-py3-none-any.whl", "my-pkg", "1.0.RC1"},
		{"flash_attn-2.8.3+cu12torch2.8cxx11abiTRUE-cp311-cp311-linux_x86_64.whl", "flash-attn", "2.8.3"},
		{"torch-2.6.0+cu124-cp311-cp311-linux_x86_64.whl", "torch", "2.6.0+cu124"},
		{"pytz-2004d-py3-none-any.whl", "pytz", "2004d"}, // no version at all
	} {
		t.Run(tt.file, func(t *testing.T) {
			_, d, err := read(t, tt.file, wheelOf(t, tt.name, tt.version))
			if err != nil || d.Version != tt.version {
				t.Errorf("version %q, %v", d.Version, err)
			}
		})
	}
	_, _, err := read(t, "pytz-2004d-py3-none-any.whl", wheelOf(t, "pytz", "2005a"))
	refused(t, err, "its METADATA is of pytz 2005a")
}

// Wheels that pip and uv install are accepted.
func TestSloppyWheels(t *testing.T) {
	const at = "my_pkg-1.0.dist-info/"
	metadata := entry{name: at + "METADATA", content: metadataOf("my-pkg", "1.0")}
	for name, entries := range map[string][]entry{
		"latin-1":               {{name: at + "METADATA", content: "Author: Ren\xe9\nNAME: my-pkg\nversion:1.0\n\n\xff"}},
		"CRLF":                  {{name: at + "METADATA", content: strings.ReplaceAll(metadataOf("my-pkg", "1.0"), "\n", "\r\n")}},
		"no description":        {{name: at + "METADATA", content: "Name: my-pkg\nVersion: 1.0"}},
		"lines that go on":      {{name: at + "METADATA", content: "License: a\n Name: b\n\tVersion: c\nName: my-pkg\nVersion: 1.0\n"}},
		"twice the same":        {metadata, {name: "a.py", content: "x"}, {name: "a.py", content: "x"}, metadata},
		"script twice":          {metadata, {name: "my_pkg-1.0.data/scripts/run", content: "x"}, {name: at + "entry_points.txt", content: "[console_scripts]\nrun = a:b\n"}},
		"dots in names":         {metadata, {name: "...", content: "x"}, {name: "a/..b", content: "x"}},
		"255 bytes":             {metadata, {name: strings.Repeat("n", 255), content: "x"}},
		"directory that leaves": {metadata, {name: "../"}, {name: "a//"}},
		"RECORD of others":      {metadata, {name: at + "RECORD", content: "a\"b,,,\r\n\r\nc,,1,x"}},
		"WHEEL that goes on":    {metadata, {name: at + "WHEEL", content: "Tag: a\r\n b\r\nWheel-Version:1.9"}},
		"python of others":      {metadata, {name: "bin/python", content: "x"}, {name: at + "entry_points.txt", content: "[console_scripts]\npython3-config = a:b\n"}},
		"other entry points":    {metadata, {name: at + "entry_points.txt", content: "; c\r  [console_scripts] # c\r\n  a=b:c\n  \n  # c\n  d = e:f\n[x]\nl = \n  more\n"}},
		"old bytecode":          {metadata, {name: "a/__pycache__/b.pyc", content: "x"}, {name: "my_pkg-1.0.data/purelib/a/__pycache__/b.pyc", content: "y"}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, e := range own("my-pkg", "1.0") {
				if !slices.ContainsFunc(entries, func(other entry) bool { return other.name == e.name }) {
					entries = append(entries, e)
				}
			}
			w, _, err := read(t, someFile, zipped(t, entries...))
			if err != nil {
				t.Fatal(err)
			}
			if name == "twice the same" && len(w.Files) != 1 {
				t.Errorf("files are %v", w.Files)
			}
		})
	}
}

// A zip may have other bytes in front, as self-extracting ones do, and sizes of 64 bits.
func TestZipsOfOtherForms(t *testing.T) {
	data := wheelOf(t, "my-pkg", "1.0", entry{name: "a.py", content: "content"})
	t.Run("prefix", func(t *testing.T) {
		w, _, err := read(t, someFile, append([]byte("#!/bin/sh\nexit 0\n"), data...))
		if err != nil || len(w.Files) != 1 {
			t.Errorf("%v, %v", w, err)
		}
	})
	t.Run("zip64", func(t *testing.T) {
		big := zip.FileHeader{Name: "big.so", CompressedSize64: 5 << 30, UncompressedSize64: 5 << 30}
		if !bytes.Contains(rawWheel(t, big), binary.LittleEndian.AppendUint64(nil, 5<<30)) {
			t.Fatal("the zip has no size of 64 bits")
		}
		w, err := readBehind(t, 5<<30, big)
		if err != nil || w.Unpacked < 5<<30 || w.Files[0] != (member{Target: "big.so", Size: 5 << 30}) {
			t.Errorf("%v, %v", w, err)
		}
	})
	t.Run("cut", func(t *testing.T) {
		_, _, err := read(t, someFile, data[:len(data)-10])
		refused(t, err, "it is not a wheel")
	})
}
