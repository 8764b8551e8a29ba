package real

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"lamina.build/examples/wan22-animate/rehearsal/world"
	"lamina.build/internal/debian"
	"lamina.build/internal/test/e2etest"
	"lamina.build/internal/test/enginetest"
	"lamina.build/internal/test/testworld"
	"lamina.build/lock"
)

// The image of examples/wan22-animate, built from PyPI's own wheels. There are stand-ins for
// what PyPI doesn't have: the weights, and the two repositories, whose files are those of the
// releases closest to their commits.
func TestRealWan(t *testing.T) {
	asked := os.Getenv("LAMINA_REAL")
	variant := map[string]string{"wan": "production", "equality": "production", "blackwell": "blackwell"}[asked]
	if variant == "" {
		t.Skip("LAMINA_REAL=wan builds examples/wan22-animate from 3.4 GB of wheels and makes films with its worker, LAMINA_REAL=equality compares more of them with upstream's, and LAMINA_REAL=blackwell builds another variant from 4.4 GB")
	}
	testworld.RealPyPI(t)
	u := e2etest.UserOf(t, e2etest.FreshEngine(t))
	u.Cache = t.TempDir()
	dir := wanProject(t, u)
	timed(t, "lock of Debian's packages and one wheel", func() { u.Build(t, "lock", debianOf(t, dir)) })
	timed(t, "lock, all of it new", func() { u.Build(t, "lock", dir) })
	timed(t, "lock, nothing changed", func() { u.Build(t, "lock", dir) })
	requirements := filepath.Join(dir, "requirements.txt")
	e2etest.Edit(t, requirements, "loguru==0.7.3", "loguru==0.7.2")
	timed(t, "lock, one line changed", func() { u.Build(t, "lock", dir) })
	e2etest.Edit(t, requirements, "loguru==0.7.2", "loguru==0.7.3")
	u.Build(t, "lock", dir)
	l := e2etest.ReadLock(t, dir)
	for _, name := range world.NotNeeded() {
		if slices.ContainsFunc(l.Distributions, func(d lock.Distribution) bool { return d.Name == name }) {
			t.Errorf("the lock has %s, which only Wan2.2's own inference needs", name)
		}
	}
	for _, d := range l.PythonIn("blackwell") {
		if d.Name == "nvidia-cuda-nvrtc-cu12" {
			t.Run("blackwell's prune fits "+d.File, func(t *testing.T) { prunesCompiler(t, d) })
		}
	}
	for _, set := range []lock.Set{{Kind: lock.SetPython}, {Kind: lock.SetPython, Variant: "blackwell"}} {
		t.Run("has the wheels that uv installs: "+set.String(), func(t *testing.T) { choosesAsUV(t, l, set) })
	}

	t.Log(u.Build(t, "--print=layers", "--variant", variant, dir).Stdout)
	timed(t, "build, all of it new", func() {
		r := u.Build(t, "--variant", variant, dir)
		t.Log(r.Stdout)
		for _, pattern := range prunes[variant] {
			if !strings.Contains(r.Stdout, pattern) {
				t.Errorf("prune %q removes nothing", pattern)
			}
		}
		checkSize(t, r.Stdout, variant)
	})
	timed(t, "build, nothing changed", func() { u.Build(t, "--variant", variant, dir) })
	e2etest.Write(t, filepath.Join(dir, "app", "note.txt"), []byte("changed\n"))
	timed(t, "build, the app changed", func() { u.Build(t, "--variant", variant, dir) })
	films := "test_equal.Equal.test_relighting_comes_and_goes test_equal.Equal.test_prompts_are_upstreams"
	if asked == "equality" {
		films = "test_equal"
	}
	timed(t, "the pipeline's films compared with upstream's", func() { equal(t, u, dir, variant, films) })
	timed(t, "the worker tried", func() { trial(t, u, dir, variant) })
}

// prunes are the example's prune patterns that remove something, by variant.
var prunes = map[string][]string{
	"production": {"onnxruntime/capi/libonnxruntime_providers_tensorrt.so"},
	"blackwell":  {"onnxruntime/capi/libonnxruntime_providers_tensorrt.so", "nvidia/cuda_nvrtc/lib/*.alt.so*"},
}

// prunesCompiler looks for what blackwell's pattern removes in the real wheel, since only
// LAMINA_REAL=blackwell installs it: NVIDIA's second build of its compiler, and not the first.
func prunesCompiler(t *testing.T, d lock.Distribution) {
	t.Helper()
	name, err := getter(t).Get(t.Context(), d.URL, debian.File{Size: d.Size, SHA256: d.SHA256})
	if err != nil {
		t.Fatal(err)
	}
	r, err := zip.OpenReader(name)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	pattern := prunes["blackwell"][1]
	var pruned, kept uint64
	for _, f := range r.File {
		switch match, err := path.Match(pattern, f.Name); {
		case err != nil:
			t.Fatal(err)
		case match:
			pruned += f.UncompressedSize64
		case strings.Contains(f.Name, "/lib/libnvrtc"):
			kept += f.UncompressedSize64
		}
	}
	t.Logf("%q removes %d MB of %s, and leaves %d MB", pattern, pruned/1e6, d.File, kept/1e6)
	if pruned < 100e6 || kept < 100e6 {
		t.Errorf("%q removes %d bytes of %s, and leaves %d, want 100 MB each", pattern, pruned, d.File, kept)
	}
}

// largest is the size of the production image with stand-ins for its weights, in GB: of what a
// new host pulls before the first film.
const largest = 2.9

// checkSize compares a summary's total with largest.
func checkSize(t *testing.T, summary, variant string) {
	t.Helper()
	total := regexp.MustCompile(`(?m)^ *total +([\d.]+) GB +\d+ layers as stored$`).FindStringSubmatch(summary)
	if total == nil {
		t.Errorf("the summary has no total:\n%s", summary)
		return
	}
	if size, err := strconv.ParseFloat(total[1], 64); variant == "production" && (err != nil || size > largest) {
		t.Errorf("the image has %s GB, more than %.1f", total[1], largest)
	}
}

// wanProject makes the example, and a world for it.
func wanProject(t *testing.T, u *e2etest.User) string {
	t.Helper()
	w := world.New(t, world.Options{
		Example:  os.DirFS(filepath.Join(e2etest.Root(t), "examples", "wan22-animate")),
		Getter:   getter(t),
		Mirrors:  testworld.RealMirrors(t),
		Upstream: upstream(t),
	})
	u.Env = w.Env()
	dir := filepath.Join(t.TempDir(), "wan22-animate")
	if err := w.Project(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// debianOf makes a project that requires the same Debian packages as another one, and one
// small wheel. Locking it makes the builder.
func debianOf(t *testing.T, dir string) string {
	t.Helper()
	spec, err := os.ReadFile(filepath.Join(dir, "image.toml"))
	if err != nil {
		t.Fatal(err)
	}
	kept := []string{`name = "debian"`}
	for _, table := range regexp.MustCompile(`(?m)^\[`).Split(string(spec), -1) {
		switch {
		case strings.HasPrefix(table, "debian]"):
			kept = append(kept, "["+table)
		case strings.HasPrefix(table, "builder]"): // which gets git because of sam-2
			kept = append(kept, "["+strings.Replace(table, `packages = [`, `packages = ["git", `, 1))
		}
		if extra := regexp.MustCompile(`(?m)^extra-packages.*$`).FindString(table); extra != "" {
			kept = append(kept, "[variant.debug]", extra)
		}
	}
	same := filepath.Join(t.TempDir(), "debian")
	if err := os.Mkdir(same, 0o700); err != nil {
		t.Fatal(err)
	}
	e2etest.Write(t, filepath.Join(same, "requirements.txt"), []byte("six==1.17.0\n"))
	kept = append(kept, "[python]", `requirements = ["requirements.txt"]`)
	e2etest.Write(t, filepath.Join(same, "image.toml"), []byte(strings.Join(kept, "\n")))
	return same
}

// timed logs how long something took, and how busy the machine was.
func timed(t *testing.T, what string, do func()) {
	t.Helper()
	start := time.Now()
	do()
	load, _ := os.ReadFile("/proc/loadavg")
	busy, _, _ := strings.Cut(string(load), " ")
	t.Logf("%s: %s, at a load of %s", what, time.Since(start).Round(time.Second/10), busy)
}

func getter(t *testing.T) *debian.Getter {
	t.Helper()
	return debian.NewGetter(filepath.Join(enginetest.Options(t).CacheDir, "files"))
}

// upstream returns the files of Wan2.2 and sam2 on PyPI.
func upstream(t *testing.T) *world.Upstream {
	t.Helper()
	wan := unzip(t, fetched(t, "d2/25/2c0d850d3c48193f919cd9f4a817c9b93cda720dbe1cd1dc2153a078c98d/wan22-2.2.11-py3-none-any.whl",
		debian.File{Size: 190936, SHA256: "1e776684c18d5ca245f5e2e03e19a003deb55b629ea1a450e7bb8f95b78a77bc"}))
	sam2 := untar(t, fetched(t, "ce/11/d07fc96688f731a85de6d5260e98b709051eded2b7b5667ae292530bcf90/sam2-1.1.0.tar.gz",
		debian.File{Size: 152836, SHA256: "7e0ea252d43c10d853e3acfce0b5770ac683c30481bd6de311300e9d44f45b74"}))
	sam2["setup.py"] = strings.Replace(sam2["setup.py"], `NAME = "sam2"`, `NAME = "SAM-2"`, 1)
	return &world.Upstream{Wan: wan, SAM2: sam2}
}

// fetched returns a file of PyPI, which is fetched once.
func fetched(t *testing.T, file string, want debian.File) string {
	t.Helper()
	name, err := getter(t).Get(t.Context(), "https://files.pythonhosted.org/packages/"+file, want)
	if err != nil {
		t.Fatal(err)
	}
	return name
}

func unzip(t *testing.T, name string) map[string]string {
	t.Helper()
	r, err := zip.OpenReader(name)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	files := map[string]string{}
	for _, f := range r.File {
		in, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		files[f.Name] = string(data)
	}
	return files
}

// untar returns the files of an sdist, without their common directory.
func untar(t *testing.T, name string) map[string]string {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		_, below, _ := strings.Cut(path.Clean(h.Name), "/")
		files[below] = string(data)
	}
}
