package world

import (
	"archive/zip"
	"bytes"
	"debug/elf"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// stub returns the files of a project's newest wheel.
func stub(t *testing.T, name string) map[string]string {
	t.Helper()
	table, err := closure()
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(newest(table), func(d dist) bool { return d.name == name })
	d := newest(table)[i]
	data := offer{dist: d, like: d.version}.wheel(libraries()).Bytes(t)
	archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, f := range archive.File {
		in, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		files[f.Name] = string(content)
		if f.Mode()&0o111 != 0 {
			files[f.Name+" (a program)"] = ""
		}
	}
	return files
}

func TestStubsHoldWhatTheRealOnesDo(t *testing.T) {
	t.Parallel()
	for name, wants := range map[string]map[string]string{
		"torch": {
			"torch/__init__.py":                      "from .version import __version__",
			"torch/version.py":                       `cuda = "12.8"`,
			"torch/cuda/amp/__init__.py":             "def autocast(",
			"torch/lib/libtorch_cuda.so":             "\x7fELF",
			"torch-2.8.0.dist-info/METADATA":         "\nRequires-Dist: nvidia-cudnn-cu12==9.10.2.21; platform_system == \"Linux\"",
			"torch-2.8.0.dist-info/WHEEL":            "\nTag: cp311-cp311-manylinux_2_28_x86_64\n",
			"torch-2.8.0.dist-info/entry_points.txt": "torchrun = torch:main",
		},
		"opencv-python-headless": {"cv2/__init__.py": `__version__ = "4.11.0"`, "cv2/cv2.abi3.so": "libz.so.1"},
		"nvidia-cublas-cu12":     {"nvidia/__init__.py": "", "nvidia/cublas/__init__.py": "__version__", "nvidia/cublas/lib/libcublas.so.12": "libcublasLt.so.12"},
		"scikit-image":           {"skimage/__init__.py": "__version__ = \"0.26.0\"", "skimage/transform/__init__.py": "class SimilarityTransform"},
		"pyyaml":                 {"yaml/__init__.py": "def safe_load("},
		"imageio-ffmpeg":         {"imageio_ffmpeg/binaries/ffmpeg-linux-x86_64-v7.0.2": "#!/usr/bin/python3", "imageio_ffmpeg/binaries/ffmpeg-linux-x86_64-v7.0.2 (a program)": ""},
		"fastapi":                {"fastapi-0.165.0.dist-info/METADATA": "\nProvides-Extra: all\n"},
		"backports-zstd":         {"backports/zstd/__init__.py": "__version__"},
	} {
		files := stub(t, name)
		for file, want := range wants {
			if content, ok := files[file]; !ok || !strings.Contains(content, want) {
				t.Errorf("%s: %s: got %.200q, want %q", name, file, content, want)
			}
		}
	}
}

func TestSharedObjects(t *testing.T) {
	t.Parallel()
	needed := []string{"libc10.so", "libc.so.6"}
	for file, soname := range map[string][]string{"torch/lib/libtorch.so": {"libtorch.so"}, "torch/_C.so": nil} {
		text := sharedObject(file, needed, []string{"a symbol"})
		f, err := elf.NewFile(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if f.Type != elf.ET_DYN || f.Machine != elf.EM_X86_64 {
			t.Errorf("%s is of %s for %s", file, f.Type, f.Machine)
		}
		gotNeeded, gotSoname := dynamic(t, f, text)
		if diff := cmp.Diff([][]string{needed, soname}, [][]string{gotNeeded, gotSoname}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", file, diff)
		}
		if !strings.Contains(text, "\x00a symbol\x00") {
			t.Errorf("%s has no symbol", file)
		}
	}
}

// dynamic reads the segment as the dynamic linker does, which ignores sections.
func dynamic(t *testing.T, f *elf.File, text string) (needed, soname []string) {
	t.Helper()
	i := slices.IndexFunc(f.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_DYNAMIC })
	data := text[f.Progs[i].Off : f.Progs[i].Off+f.Progs[i].Filesz]
	values := map[elf.DynTag][]uint64{}
	for ; len(data) > 0; data = data[16:] {
		tag := elf.DynTag(f.ByteOrder.Uint64([]byte(data[:8])))
		values[tag] = append(values[tag], f.ByteOrder.Uint64([]byte(data[8:16])))
	}
	table := text[values[elf.DT_STRTAB][0]:][:values[elf.DT_STRSZ][0]]
	names := func(tag elf.DynTag) (list []string) {
		for _, at := range values[tag] {
			name, _, _ := strings.Cut(table[at:], "\x00")
			list = append(list, name)
		}
		return list
	}
	return names(elf.DT_NEEDED), names(elf.DT_SONAME)
}

func TestTreesHoldAllNames(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]struct {
		table string
		files int
		has   map[string]string
	}{
		"wan": {wanText, 14, map[string]string{
			"wan/modules/animate/preprocess/pose2d.py":              "onnxruntime.InferenceSession",
			"wan/modules/animate/preprocess/human_visualization.py": "def draw_aapose_by_meta_new(",
		}},
		"sam2": {sam2Text, 28, map[string]string{
			"setup.py":                          "from torch.utils.cpp_extension import CUDAExtension",
			"sam2/utils/misc.py":                "class AsyncVideoFrameLoader",
			"sam2/modeling/sam/mask_decoder.py": "class MaskDecoder",
		}},
	} {
		files := tree(name, want.table)
		if len(files) < want.files {
			t.Errorf("%s has %d files: %v", name, len(files), slices.Sorted(maps.Keys(files)))
		}
		for file, text := range want.has {
			if !strings.Contains(files[file], text) {
				t.Errorf("%s: %s has no %q:\n%s", name, file, text, files[file])
			}
		}
	}
}

func TestFilms(t *testing.T) {
	t.Parallel()
	want := Driving()
	want.Problem = "preprocess-die"
	file := want.MP4()
	if got, ok := ParseFilm(file); !ok || got != want || len(file) != filmSize || string(file[4:8]) != "ftyp" {
		t.Errorf("got %+v, %t, %d bytes", got, ok, len(file))
	}
	for _, bad := range [][]byte{nil, []byte("text"), file[:20], append([]byte{0, 0, 0, 0}, file[4:]...), make([]byte, 5000)} {
		if got, ok := ParseFilm(bad); ok {
			t.Errorf("%.30q is a film: %+v", bad, got)
		}
	}
	if p := Picture(64, 48); !bytes.HasPrefix(p, []byte("\x89PNG\r\n")) {
		t.Errorf("%q is no picture", p)
	}
}

func TestModelHasTheRealNamesAndSizes(t *testing.T) {
	t.Parallel()
	files := model()
	var all int64
	poses := 0
	for name, f := range files {
		all += f.Size()
		if strings.HasPrefix(name, pose) {
			poses++
		}
	}
	if poses != 394 || all < 72_000_000 || all > 73_000_000 { // 72.4 GB
		t.Errorf("%d files of poses, %d bytes in all", poses, all)
	}
	if f := files["models_t5_umt5-xxl-enc-bf16.pth"]; !f.LFS || f.Size() != 11_361_920 {
		t.Errorf("T5 has %d bytes", f.Size())
	}
}

// The same distribution always has the same bytes, since locks are cached.
func TestWheelsAreTheSameEachTime(t *testing.T) {
	t.Parallel()
	table, err := closure()
	if err != nil {
		t.Fatal(err)
	}
	libs := libraries()
	for _, d := range newest(table) {
		if d.kind == "sdist" || d.kind == "debian" {
			continue
		}
		first := offer{dist: d, like: d.version}.wheel(libs)
		for range 20 {
			if diff := cmp.Diff(first, offer{dist: d, like: d.version}.wheel(libs)); diff != "" {
				t.Fatalf("%s:\n%s", d.name, diff)
			}
		}
	}
}
