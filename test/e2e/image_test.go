package e2e

import (
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lamina.build/lock"

	"lamina.build/internal/test/e2etest"
	"lamina.build/internal/test/imagetest"
)

func TestRealImageIsLean(t *testing.T) {
	u, dir := e2etest.NewUser(t), e2etest.Example(t)
	u.Build(t, dir)
	l, image := u.Image(t, "production")
	if err := imagetest.Verify(t.Context(), l.Store(), image.Desc); err != nil {
		t.Errorf("verifying the image:\n%v", err)
	}
	all := e2etest.Files(t, l, image)
	for _, p := range []string{"/app/handler.py", "/models/faceblend", "/usr/share/doc/libc6/copyright", "/etc/passwd"} {
		if _, ok := all[p]; !ok {
			t.Errorf("image has no %s", p)
		}
	}
	for p, e := range all {
		_, isDirOfCopyright := all[path.Join(path.Dir(p), e.Link, "copyright")]
		if reason := unwanted(p, e); reason != "" && !isDirOfCopyright {
			t.Errorf("image has %s: %s", p, reason)
		}
	}
	status := e2etest.Read(t, l, image, "var/lib/dpkg/status")
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

// unwanted returns why a path doesn't belong in an image.
func unwanted(p string, e imagetest.Entry) string {
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

// onlyBuilder returns the packages of the builder that the runtime doesn't have.
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
		if !slices.Contains(p.For, lock.Set{Kind: lock.SetRuntime}) {
			names = append(names, p.Name)
		}
	}
	if len(names) < 20 {
		t.Fatalf("only %d packages are the builder's own: this test looks at the wrong thing", len(names))
	}
	return names
}

func TestRealChangeMovesItsOwnLayer(t *testing.T) {
	u, dir := e2etest.NewUser(t), e2etest.Example(t)
	u.Build(t, dir)
	_, before := u.Image(t, "production")

	// The commit of the directory doesn't affect an image.
	if err := os.Mkdir(filepath.Join(dir, ".git"), 0o755); err != nil {
		t.Fatal(err)
	}
	e2etest.Write(t, filepath.Join(dir, ".git", "HEAD"), []byte("42bf4cfaa384bc21833865abc2f9e6c0e67233dc\n"))
	e2etest.Write(t, filepath.Join(dir, ".git", "config"), []byte("[remote \"origin\"]\n\turl = https://git.example/acme/faceblend\n"))
	again := u.Build(t, dir, "--progress", "rawjson")
	ran, cached := e2etest.Execs(again.Stderr)
	if len(ran) > 0 {
		t.Errorf("an unchanged build ran %q again", ran)
	}
	if len(cached) < 7 {
		t.Errorf("only %q seen: this test looks at the wrong thing", cached)
	}
	if _, now := u.Image(t, "production"); now.Desc.Digest != before.Desc.Digest {
		t.Errorf("an unchanged build gave %s, then %s", before.Desc.Digest, now.Desc.Digest)
	}

	e2etest.Write(t, filepath.Join(dir, "app", "note.txt"), []byte("changed\n"))
	u.Build(t, dir)
	_, after := u.Image(t, "production")
	moved := map[string]bool{}
	for name, d := range e2etest.Layers(after) {
		if e2etest.Layers(before)[name] != d {
			moved[name] = true
		}
	}
	if diff := cmp.Diff(map[string]bool{"app /app": true}, moved); diff != "" {
		t.Errorf("layers that an app change changed (-want +got):\n%s", diff)
	}
}

func TestRealVariantsShareLayers(t *testing.T) {
	t.Parallel()
	u, dir := e2etest.NewUser(t), e2etest.Example(t)
	of := map[string][]string{}
	u.Build(t, dir, "--variant", "production,minimal,debug") // on one engine, one after another
	for _, v := range []string{"production", "minimal", "debug"} {
		_, image := u.Image(t, v)
		of[v] = slices.Sorted(maps.Keys(e2etest.Layers(image)))
	}
	l, debug := u.Image(t, "debug")
	_, production := u.Image(t, "production")
	for name, d := range e2etest.Layers(production) {
		if e2etest.Layers(debug)[name] != d {
			t.Errorf("layer %q of production differs in debug", name)
		}
	}
	if len(of["minimal"]) >= len(of["production"]) || len(of["debug"]) != len(of["production"])+1 {
		t.Errorf("layers of the variants: %v", of)
	}
	if _, ok := e2etest.Files(t, l, debug)["/usr/bin/gdb"]; !ok {
		t.Errorf("debug has no gdb")
	}
	tags, err := l.Tags()
	if err != nil || !slices.Equal(tags, []string{"debug", "minimal", "production"}) {
		t.Errorf("tags are %v (%v)", tags, err)
	}
}

// The bare files are complete, and appear only when all of them are.
func TestRealFilesOfAnImage(t *testing.T) {
	t.Parallel()
	u, dir := e2etest.NewUser(t), e2etest.Example(t)
	u.Build(t, dir, "-o", "type=local,dest=files", "-o", "type=oci", "--smoke", "off")
	l, image := u.Image(t, "production")
	for p, e := range e2etest.Files(t, l, image) {
		info, err := os.Lstat(filepath.Join(u.Dir, "files", p))
		if err != nil {
			t.Error(err)
			continue
		}
		if info.Mode() != e.Mode {
			t.Errorf("%s is %v in the directory, %v in the image", p, info.Mode(), e.Mode)
		}
	}
	u.Fails(t, 2, []string{`directory "files" is not empty`}, dir, "-o", "type=local,dest=files", "--smoke", "off")
}

// Another lock of the same packages: the spec names one that was a dependency before.
func TestRealRelockMovesNoLayer(t *testing.T) {
	t.Parallel()
	u, dir := e2etest.NewUser(t), e2etest.Example(t)
	u.Build(t, dir)
	_, before := u.Image(t, "production")
	locked := e2etest.ReadLock(t, dir)
	e2etest.Edit(t, filepath.Join(dir, "image.toml"), `"python3-numpy",`, `"python3-numpy", "python3-minimal",`)
	u.Build(t, dir, "--relock")
	_, after := u.Image(t, "production")
	if relocked := e2etest.ReadLock(t, dir); cmp.Equal(locked.Requests, relocked.Requests) || !cmp.Equal(locked.Packages, relocked.Packages) {
		t.Error("the lock is the same, or has other packages: this test looks at the wrong thing")
	}
	if diff := cmp.Diff(e2etest.Layers(before), e2etest.Layers(after)); diff != "" {
		t.Errorf("layers after a relock that changed no package (-before +after):\n%s", diff)
	}
}

// selfTest is the example's smoke test, which tests replace with their own.
const selfTest = `["python3", "/app/handler.py", "--self-test"],`

// The example's own tests run where its wheel is installed, as its user, before an image
// is released. Those of the GPU code compile a fake driver.
func TestRealExamplePassesItsOwnTests(t *testing.T) {
	u, dir := e2etest.NewUser(t), e2etest.Example(t)
	e2etest.Write(t, filepath.Join(dir, "app", ".dockerignore"), nil)
	if err := os.CopyFS(filepath.Join(dir, "app", "example"), os.DirFS(filepath.Join(e2etest.Root(t), "examples", "faceblend"))); err != nil {
		t.Fatal(err)
	}
	spec := filepath.Join(dir, "image.toml")
	e2etest.Edit(t, spec, `packages   = [`, "exclude    = []\npackages   = [")
	e2etest.Edit(t, spec, `"python3-numpy",`, `"python3-numpy", "g++",`)
	// Otherwise the engine would use its cached result.
	now := strconv.FormatInt(time.Now().UnixNano(), 10)
	e2etest.Edit(t, spec, selfTest, `["sh", "-c", "cd example/app && python3 -m unittest discover -s tests -t .", "`+now+`"],
	["sh", "-c", "cd example/native && python3 -m unittest discover -s tests -t .", "`+now+`"],`)
	r := u.Build(t, dir, "--relock", "--progress", "plain")
	if ran := strings.Count(r.Stderr, " OK\n"); ran != 2 {
		t.Errorf("%d of 2 suites ran:\n%s", ran, e2etest.Tail(r.Stderr))
	}
}
