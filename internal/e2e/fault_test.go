package e2e

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fails runs the command and checks its exit code and what it says.
func (u *user) fails(t *testing.T, code int, says []string, args ...string) {
	t.Helper()
	r := u.run(t, args...)
	if r.code != code {
		t.Errorf("exit code %d, want %d\n%s", r.code, code, tail(r.stderr))
	}
	for _, text := range says {
		if !strings.Contains(r.stderr, text) {
			t.Errorf("standard error does not say %q:\n%s", text, tail(r.stderr))
		}
	}
}

func (u *user) hasNoImage(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(u.dir, "dist", "faceblend", "index.json")); err == nil {
		if tags := mustTags(t, u); len(tags) > 0 {
			t.Errorf("a build that failed left the tags %v", tags)
		}
	}
}

func mustTags(t *testing.T, u *user) []string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(u.dir, "dist", "faceblend", "index.json"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(data), "ref.name") {
		return []string{string(data)}
	}
	return nil
}

func TestRealSmokeTestHoldsTheImageBack(t *testing.T) {
	u, dir := newUser(t), example(t)
	edit(t, filepath.Join(dir, "image.toml"), `"--self-test"],`, `"--no-such-flag"],`)
	u.fails(t, 1, []string{
		"build: error: smoke: run python3 /app/handler.py --no-such-flag: exit code: 2",
		"unrecognized arguments: --no-such-flag",
	}, dir, "--progress", "quiet")
	u.hasNoImage(t)
	u.build(t, dir, "--smoke", "runtime") // which leaves out what the app runs
}

func TestRealMissingLibraryHoldsTheImageBack(t *testing.T) {
	u, dir := newUser(t), example(t)
	cmake := filepath.Join(dir, "native", "CMakeLists.txt")
	edit(t, cmake, "-Wl,--as-needed", "-Wl,--no-as-needed")
	edit(t, cmake, "target_include_directories(", `file(WRITE ${CMAKE_BINARY_DIR}/gone.cpp "int gone() { return 1; }")
add_library(gone SHARED ${CMAKE_BINARY_DIR}/gone.cpp)
set_target_properties(gone PROPERTIES LIBRARY_OUTPUT_DIRECTORY /tmp)
target_link_libraries(_core PRIVATE gone)
target_include_directories(`)
	spec := filepath.Join(dir, "image.toml")
	edit(t, spec, `imports = ["numpy", "faceblend_native"]`, `imports = ["numpy"]`)
	u.fails(t, 1, []string{"smoke: libraries of all ELF files", "libgone.so is needed by /usr/local/lib/python3.11/dist-packages/faceblend_native/_core"},
		dir, "--smoke", "runtime", "--progress", "quiet")
	u.hasNoImage(t)
}

func TestRealCompilerIsHeard(t *testing.T) {
	u, dir := newUser(t), example(t)
	edit(t, filepath.Join(dir, "native", "src", "module.cc"), "PYBIND11_MODULE(_core, m) {", "PYBIND11_MODULE(_core, m) { nonsense;")
	u.fails(t, 1, []string{"native: compile", "error: ‘nonsense’ was not declared in this scope"}, dir, "--progress", "quiet")
	u.hasNoImage(t)
}

func TestRealLockMustFit(t *testing.T) {
	u, dir := newUser(t), example(t)
	edit(t, filepath.Join(dir, "image.toml"), `"python3-numpy",`, `"python3-numpy", "jq",`)
	u.fails(t, 3, []string{"runtime: the spec adds jq", "build: hint: "}, dir)

	lock := filepath.Join(dir, "image.lock")
	edit(t, lock, "libpython3.11-stdlib", "libpython3.11-stdlib2")
	u.fails(t, 2, []string{"lock was changed after it was written"}, dir)
	data, err := os.ReadFile(lock)
	if err != nil {
		t.Fatal(err)
	}
	write(t, lock, data[:len(data)/2])
	u.fails(t, 2, []string{"image.lock:"}, dir)
	u.hasNoImage(t)
}

func TestRealUnknownPackageIsNamed(t *testing.T) {
	u, dir := newUser(t), example(t)
	edit(t, filepath.Join(dir, "image.toml"), `"python3-numpy",`, `"python3-nunpy",`)
	before, err := os.ReadFile(filepath.Join(dir, "image.lock"))
	if err != nil {
		t.Fatal(err)
	}
	u.fails(t, 2, []string{"python3-nunpy", "python3-numpy"}, "lock", dir)
	after, err := os.ReadFile(filepath.Join(dir, "image.lock"))
	if err != nil || string(before) != string(after) {
		t.Errorf("a lock that failed changed image.lock (%v)", err)
	}
}

func TestRealUnwritableOutput(t *testing.T) {
	u, dir := newUser(t), example(t)
	write(t, filepath.Join(u.dir, "dist"), []byte("a file where a folder should be"))
	u.fails(t, 1, []string{"dist"}, dir)
}

// What a build has fetched it needs no network for, and a new wish says what it
// could not have.
func TestRealOffline(t *testing.T) {
	u, dir := newUser(t), example(t)
	u.build(t, dir)
	want := u.digest(t)
	offline := []string{"--debian-mirror", "http://127.0.0.1:9/debian"}
	write(t, filepath.Join(dir, "app", "note.txt"), []byte("changed\n"))
	u.build(t, append([]string{dir}, offline...)...)
	if u.digest(t) == want {
		t.Errorf("the change did not reach the image")
	}
	there := userOf(t, freshEngine(t))
	there.cache = t.TempDir()
	r := there.run(t, append([]string{dir, "--progress", "quiet"}, offline...)...)
	if r.code == 0 || !strings.Contains(r.stderr, "127.0.0.1:9") {
		t.Errorf("exit code %d, and it does not say what it could not fetch:\n%s", r.code, tail(r.stderr))
	}
}

func TestRealTwoBuildsAtOnce(t *testing.T) {
	u, dir := newUser(t), example(t)
	done := make(chan result)
	for _, v := range []string{"production", "minimal"} {
		go func() { done <- u.run(t, dir, "--variant", v) }()
	}
	for range 2 {
		if r := <-done; r.code != 0 {
			t.Errorf("exit code %d\n%s", r.code, tail(r.stderr))
		}
	}
	u.image(t, "production")
	u.image(t, "minimal")
}

func TestRealNothingIsLeftInTheProject(t *testing.T) {
	u, dir := newUser(t), example(t)
	u.build(t, dir)
	want := map[string]bool{}
	collect(t, "../../examples/faceblend", want)
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
