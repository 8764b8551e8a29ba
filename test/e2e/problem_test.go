package e2e

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lamina.build/internal/test/e2etest"
)

func TestRealSmokeTestHoldsTheImageBack(t *testing.T) {
	t.Parallel()
	u, dir := e2etest.NewUser(t), e2etest.Example(t)
	e2etest.Edit(t, filepath.Join(dir, "image.toml"), `"--self-test"],`, `"--no-such-flag"],`)
	u.Fails(t, 1, []string{
		"build: error: smoke: run python3 /app/handler.py --no-such-flag: exit code: 2",
		"unrecognized arguments: --no-such-flag",
	}, dir, "--progress", "quiet")
	u.HasNoImage(t)
	u.Build(t, dir, "--smoke", "runtime") // which leaves out the app's commands
}

// A project contains links in the output directory: their targets aren't touched.
func TestRealLinksInTheOutputDirectory(t *testing.T) {
	t.Parallel()
	u, dir, victim := e2etest.NewUser(t), e2etest.Example(t), t.TempDir()
	thesis := filepath.Join(victim, "Documents", "thesis")
	if err := errors.Join(
		os.MkdirAll(filepath.Dir(thesis), 0o755), os.WriteFile(thesis, nil, 0o644),
		os.MkdirAll(filepath.Join(u.Dir, "dist", "faceblend"), 0o755), os.Symlink(victim, filepath.Join(u.Dir, "dist", "faceblend", "ingest")),
	); err != nil {
		t.Fatal(err)
	}
	u.Fails(t, 2, []string{`"dist/faceblend/ingest" is a symbolic link`, "hint: ", "-o type=oci,dest="}, dir, "--progress", "quiet")
	if _, err := os.Stat(thesis); err != nil {
		t.Error(err)
	}
}

func TestRealEntrypointMustBeThere(t *testing.T) {
	t.Parallel()
	for entrypoint, says := range map[string]string{
		`["nosuchprog"]`:              "nosuchprog: no such program in the image",
		`["python3", "/app/nope.py"]`: "/app/nope.py: no such file in the image",
	} {
		u, dir := e2etest.NewUser(t), e2etest.Example(t)
		e2etest.Edit(t, filepath.Join(dir, "image.toml"), `["python3", "/app/handler.py"]`, entrypoint)
		u.Fails(t, 1, []string{says}, dir, "--progress", "quiet")
		u.HasNoImage(t)
	}
}

func TestRealMissingLibraryHoldsTheImageBack(t *testing.T) {
	t.Parallel()
	u, dir := e2etest.NewUser(t), e2etest.Example(t)
	cmake := filepath.Join(dir, "native", "CMakeLists.txt")
	e2etest.Edit(t, cmake, "-Wl,--as-needed", "-Wl,--no-as-needed")
	e2etest.Edit(t, cmake, "target_include_directories(", `file(WRITE ${CMAKE_BINARY_DIR}/gone.cpp "int gone() { return 1; }")
add_library(gone SHARED ${CMAKE_BINARY_DIR}/gone.cpp)
set_target_properties(gone PROPERTIES LIBRARY_OUTPUT_DIRECTORY /tmp)
target_link_libraries(_core PRIVATE gone)
target_include_directories(`)
	spec := filepath.Join(dir, "image.toml")
	e2etest.Edit(t, spec, `imports = ["numpy", "faceblend_native"]`, `imports = ["numpy"]`)
	u.Fails(t, 1, []string{"smoke: libraries of all ELF files", "libgone.so is needed by /usr/local/lib/python3.11/dist-packages/faceblend_native/_core"},
		dir, "--smoke", "runtime", "--progress", "quiet")
	u.HasNoImage(t)
}

func TestRealCompilerIsHeard(t *testing.T) {
	t.Parallel()
	u, dir := e2etest.NewUser(t), e2etest.Example(t)
	e2etest.Edit(t, filepath.Join(dir, "native", "src", "module.cc"), "PYBIND11_MODULE(_core, m) {", "PYBIND11_MODULE(_core, m) { nonsense;")
	u.Fails(t, 1, []string{"build: error: native: compile: exit code: 1: /build/src/module.cc:", "error: ‘nonsense’ was not declared in this scope"}, dir, "--progress", "quiet")
	u.HasNoImage(t)
}

func TestRealLockMustFit(t *testing.T) {
	t.Parallel()
	u, dir := e2etest.NewUser(t), e2etest.Example(t)
	e2etest.Edit(t, filepath.Join(dir, "image.toml"), `"python3-numpy",`, `"python3-numpy", "jq",`)
	u.Fails(t, 3, []string{"runtime: the spec adds jq", "build: hint: "}, dir)

	lock := filepath.Join(dir, "image.lock")
	e2etest.Edit(t, lock, "libpython3.11-stdlib", "libpython3.11-stdlib2")
	u.Fails(t, 2, []string{"lock was changed after it was written"}, dir)
	data, err := os.ReadFile(lock)
	if err != nil {
		t.Fatal(err)
	}
	e2etest.Write(t, lock, data[:len(data)/2])
	u.Fails(t, 2, []string{"image.lock:"}, dir)
	u.HasNoImage(t)
}

func TestRealUnknownPackageIsNamed(t *testing.T) {
	t.Parallel()
	u, dir := e2etest.NewUser(t), e2etest.Example(t)
	e2etest.Edit(t, filepath.Join(dir, "image.toml"), `"python3-numpy",`, `"python3-nunpy",`)
	before, err := os.ReadFile(filepath.Join(dir, "image.lock"))
	if err != nil {
		t.Fatal(err)
	}
	u.Fails(t, 2, []string{"python3-nunpy", "python3-numpy"}, "lock", dir)
	after, err := os.ReadFile(filepath.Join(dir, "image.lock"))
	if err != nil || string(before) != string(after) {
		t.Errorf("a lock that failed changed image.lock (%v)", err)
	}
}

func TestRealUnwritableOutput(t *testing.T) {
	t.Parallel()
	u, dir := e2etest.NewUser(t), e2etest.Example(t)
	e2etest.Write(t, filepath.Join(u.Dir, "dist"), []byte("a file where a directory should be"))
	u.Fails(t, 2, []string{"dist"}, dir)
}

// A build needs no network for what it has already, and fails on a new engine with what
// it could not fetch.
func TestRealOffline(t *testing.T) {
	t.Parallel()
	u, dir := e2etest.NewUser(t), e2etest.Example(t)
	u.Build(t, dir)
	want := u.Digest(t)
	offline := []string{"--debian-mirror", "http://127.0.0.1:9/debian"}
	e2etest.Write(t, filepath.Join(dir, "app", "note.txt"), []byte("changed\n"))
	u.Build(t, append([]string{dir}, offline...)...)
	if u.Digest(t) == want {
		t.Errorf("the change did not reach the image")
	}
	there := e2etest.UserOf(t, e2etest.FreshEngine(t))
	there.Cache = t.TempDir()
	r := there.Run(t, append([]string{dir, "--progress", "quiet"}, offline...)...)
	if r.Code == 0 || !strings.Contains(r.Stderr, "127.0.0.1:9") {
		t.Errorf("exit code %d, and it does not name what it could not fetch:\n%s", r.Code, e2etest.Tail(r.Stderr))
	}
}

func TestRealTwoBuildsAtOnce(t *testing.T) {
	t.Parallel()
	u, dir := e2etest.NewUser(t), e2etest.Example(t)
	done := make(chan e2etest.Result)
	for _, v := range []string{"production", "minimal"} {
		go func() { done <- u.Run(t, dir, "--variant", v) }()
	}
	for range 2 {
		if r := <-done; r.Code != 0 {
			t.Errorf("exit code %d\n%s", r.Code, e2etest.Tail(r.Stderr))
		}
	}
	u.Image(t, "production")
	u.Image(t, "minimal")
}

func TestRealNothingIsLeftInTheProject(t *testing.T) {
	t.Parallel()
	u, dir := e2etest.NewUser(t), e2etest.Example(t)
	u.Build(t, dir)
	want := map[string]bool{}
	collect(t, filepath.Join(e2etest.Root(t), "examples", "faceblend"), want)
	want["image.lock"] = true
	got := map[string]bool{}
	collect(t, dir, got)
	for path := range got {
		if !want[path] {
			t.Errorf("the build left %s in the project", path)
		}
	}
}

func collect(t *testing.T, dir string, into map[string]bool) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, _ fs.DirEntry, err error) error {
		into[path] = true
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
