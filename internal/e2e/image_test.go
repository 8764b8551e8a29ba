package e2e

import (
	"archive/tar"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"lamina.build/internal/layout"
	"lamina.build/lock"
)

func TestRealImageIsLean(t *testing.T) {
	u, dir := newUser(t), example(t)
	u.build(t, dir)
	l, image := u.image(t, "production")
	if err := layout.Verify(t.Context(), l.Store(), image.Desc, layout.VerifyOptions{}); err != nil {
		t.Errorf("verifying the image:\n%v", err)
	}
	all := files(t, l, image)
	for _, p := range []string{"/app/handler.py", "/models/faceblend", "/usr/share/doc/libc6/copyright", "/etc/passwd"} {
		if _, ok := all[p]; !ok {
			t.Errorf("image has no %s", p)
		}
	}
	for p, e := range all {
		if reason := unwanted(p, e); reason != "" {
			t.Errorf("image has %s: %s", p, reason)
		}
	}
	status := read(t, l, image, "var/lib/dpkg/status")
	for _, p := range onlyBuilder(t, filepath.Join(dir, "image.lock")) {
		if strings.Contains(status, "Package: "+p+"\n") {
			t.Errorf("package %s of the builder reached the image", p)
		}
	}
	for _, mode := range []struct {
		path string
		mode fs.FileMode
	}{{"/tmp", fs.ModeDir | fs.ModeSticky | 0o777}, {"/bin", fs.ModeSymlink | 0o777}, {"/root", fs.ModeDir | 0o700}} {
		if got := all[mode.path].Mode; got != mode.mode {
			t.Errorf("%s is %v, want %v", mode.path, got, mode.mode)
		}
	}
	if user := image.Config.Config.User; user != "10001:10001" {
		t.Errorf("user is %s", user)
	}
}

// unwanted says why a path has no place in an image.
func unwanted(p string, e layout.Entry) string {
	base := filepath.Base(p)
	switch {
	case strings.HasPrefix(p, "/.lamina"):
		return "it is a mount point of the build"
	case strings.HasPrefix(p, "/usr/share/man/"), strings.HasPrefix(p, "/usr/share/locale/"), strings.HasPrefix(p, "/usr/include/"):
		return "it is documentation or a header"
	case strings.HasPrefix(p, "/usr/share/doc/") && !e.Mode.IsDir() && base != "copyright":
		return "it is documentation"
	case strings.HasSuffix(p, ".a"), strings.HasSuffix(p, ".deb"), strings.HasPrefix(p, "/var/lib/apt/lists/"):
		return "only a build needs it"
	case slices.Contains([]string{"gcc", "g++", "cc1plus", "ld", "cmake", "make", "ccache", "busybox"}, base) && e.Mode&0o111 != 0 && !e.Mode.IsDir():
		return "it is a tool of the builder"
	case strings.HasPrefix(base, "libcuda.so"):
		return "it is the driver's"
	}
	return ""
}

// onlyBuilder are the packages that the builder has and the runtime has not.
func onlyBuilder(t *testing.T, path string) []string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	l, err := lock.Parse(path, text)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range l.In(lock.SetBuilder, "") {
		if !slices.Contains(p.For, lock.SetRuntime) {
			names = append(names, p.Name)
		}
	}
	if len(names) < 20 {
		t.Fatalf("only %d packages are the builder's own: this test looks at the wrong thing", len(names))
	}
	return names
}

// read returns a file of the lowest layer, where the runtime is.
func read(t *testing.T, l *layout.Layout, image layout.Image, name string) string {
	t.Helper()
	blob, err := os.Open(filepath.Join(l.Dir(), "blobs", "sha256", image.Manifest.Layers[0].Digest.Encoded()))
	if err != nil {
		t.Fatal(err)
	}
	defer blob.Close()
	plain, err := zstd.NewReader(blob)
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	for r := tar.NewReader(plain); ; {
		h, err := r.Next()
		if err != nil {
			t.Fatalf("looking for %s in the image: %v", name, err)
		}
		if h.Name == name {
			data, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			return string(data)
		}
	}
}

func TestRealChangeMovesItsOwnLayer(t *testing.T) {
	u, dir := newUser(t), example(t)
	u.build(t, dir)
	_, before := u.image(t, "production")

	again := u.build(t, dir, "--progress", "rawjson")
	if n := execs(t, again.stderr, ""); n > 0 && execs(t, again.stderr, "smoke: run") > 0 {
		t.Errorf("an unchanged build ran its steps again")
	}
	if _, now := u.image(t, "production"); now.Desc.Digest != before.Desc.Digest {
		t.Errorf("an unchanged build gave %s, then %s", before.Desc.Digest, now.Desc.Digest)
	}

	write(t, filepath.Join(dir, "app", "note.txt"), []byte("changed\n"))
	u.build(t, dir)
	_, after := u.image(t, "production")
	moved := map[string]bool{}
	for name, d := range layers(after) {
		if layers(before)[name] != d {
			moved[name] = true
		}
	}
	if diff := cmp.Diff(map[string]bool{"app /app": true}, moved); diff != "" {
		t.Errorf("layers that an app change moved (-want +got):\n%s", diff)
	}
}

func TestRealVariantsShareLayers(t *testing.T) {
	u, dir := newUser(t), example(t)
	of := map[string][]string{}
	for _, v := range []string{"production", "minimal", "debug"} {
		u.build(t, dir, "--variant", v)
		_, image := u.image(t, v)
		of[v] = slices.Sorted(maps.Keys(layers(image)))
	}
	l, debug := u.image(t, "debug")
	_, production := u.image(t, "production")
	for name, d := range layers(production) {
		if layers(debug)[name] != d {
			t.Errorf("layer %q of production is another one in debug", name)
		}
	}
	if len(of["minimal"]) >= len(of["production"]) || len(of["debug"]) != len(of["production"])+1 {
		t.Errorf("layers of the variants: %v", of)
	}
	if _, ok := files(t, l, debug)["/usr/bin/gdb"]; !ok {
		t.Errorf("debug has no gdb")
	}
	tags, err := l.Tags()
	if err != nil || !slices.Equal(tags, []string{"debug", "minimal", "production"}) {
		t.Errorf("tags are %v (%v)", tags, err)
	}
}

// The same lock and trees give the same manifest under whatever differs
// between two machines, and after an export in another compression.
func TestRealDigestIsTheSameEverywhere(t *testing.T) {
	u, dir := newUser(t), example(t)
	u.build(t, dir)
	want := u.digest(t)

	there := userOf(t, freshEngine(t))
	there.env = []string{"TZ=Pacific/Chatham", "LANG=tr_TR.UTF-8", "LC_ALL=tr_TR.UTF-8", "GOMAXPROCS=1", "HOSTNAME=elsewhere"}
	copied := filepath.Join(t.TempDir(), "elsewhere", "project")
	if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	age(t, copied)
	there.build(t, copied, "-o", "type=docker,dest=image.tar", "--smoke", "off")
	there.build(t, copied, "-o", "type=oci,dest=image.oci.tar,compression=gzip", "--smoke", "off")
	there.build(t, copied)
	if got := there.digest(t); got != want {
		t.Errorf("digest is %s elsewhere, %s here", got, want)
	}
}

// age gives a checkout other times and modes, as another umask and another day do.
func age(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		mode := fs.FileMode(0o664)
		if d.IsDir() {
			mode = 0o775
		}
		then := time.Date(2031, 5, 17, 3, 4, 5, 6, time.UTC)
		if err := os.Chmod(path, mode); err != nil {
			return err
		}
		return os.Chtimes(path, then, then)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// The bare files are all there, whole, and only when all of them are.
func TestRealFilesOfAnImage(t *testing.T) {
	u, dir := newUser(t), example(t)
	u.build(t, dir, "-o", "type=local,dest=files", "-o", "type=oci", "--smoke", "off")
	l, image := u.image(t, "production")
	for p, e := range files(t, l, image) {
		info, err := os.Lstat(filepath.Join(u.dir, "files", p))
		if err != nil {
			t.Error(err)
			continue
		}
		if info.Mode() != e.Mode {
			t.Errorf("%s is %v in the folder, %v in the image", p, info.Mode(), e.Mode)
		}
	}
	u.fails(t, 2, []string{`folder "files" is not empty`}, dir, "-o", "type=local,dest=files", "--smoke", "off")
}

func TestRealRelockMovesNoLayer(t *testing.T) {
	u, dir := newUser(t), example(t)
	u.build(t, dir)
	_, before := u.image(t, "production")
	u.build(t, dir, "--relock")
	_, after := u.image(t, "production")
	if diff := cmp.Diff(layers(before), layers(after)); diff != "" {
		t.Errorf("layers after a relock that changed no package (-before +after):\n%s", diff)
	}
}

// selfTest is the smoke test of the example that tests replace by their own.
const selfTest = `["python3", "/app/handler.py", "--self-test"],`

// The example's own tests run where its wheel is installed, as its user, before
// an image is let out. Those of the GPU's side compile a driver that is none.
func TestRealExamplePassesItsOwnTests(t *testing.T) {
	u, dir := newUser(t), example(t)
	write(t, filepath.Join(dir, "app", ".dockerignore"), nil)
	if err := os.CopyFS(filepath.Join(dir, "app", "example"), os.DirFS("../../examples/faceblend")); err != nil {
		t.Fatal(err)
	}
	spec := filepath.Join(dir, "image.toml")
	edit(t, spec, `packages   = [`, "exclude    = []\npackages   = [")
	edit(t, spec, `"python3-numpy",`, `"python3-numpy", "g++",`)
	// The engine would not run again what it has run before.
	now := strconv.FormatInt(time.Now().UnixNano(), 10)
	edit(t, spec, selfTest, `["sh", "-c", "cd example/app && python3 -m unittest discover -s tests -t .", "`+now+`"],
	["sh", "-c", "cd example/native && python3 -m unittest discover -s tests -t .", "`+now+`"],`)
	r := u.build(t, dir, "--relock", "--progress", "plain")
	if ran := strings.Count(r.stderr, " OK\n"); ran != 2 {
		t.Errorf("%d of 2 suites ran:\n%s", ran, tail(r.stderr))
	}
}
