package release

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"lamina.build/internal/test/e2etest"
)

// A release has the same bytes from another checkout and environment. Unpacked anywhere, it
// builds without Go and without a cache; altered, it doesn't.
func TestRealRelease(t *testing.T) {
	if os.Getenv("LAMINA_REAL") != "release" {
		t.Skip("LAMINA_REAL=release packs a release, twice, and builds examples/faceblend with it on an engine that has nothing")
	}
	u, dir := e2etest.NewUser(t), e2etest.Example(t)
	u.Build(t, dir)
	own := "linux/" + runtime.GOARCH
	first := pack(t, e2etest.Root(t), []string{own})[own]
	if second := pack(t, checkout(t), []string{own}, "TZ=Asia/Tokyo", "GOFLAGS=-buildvcs=true", "GOAMD64=v3", "TMPDIR="+t.TempDir())[own]; !bytes.Equal(first, second) {
		t.Errorf("a release from another checkout differs: it has %d bytes, the first %d", len(second), len(first))
	}

	place := unpack(t, own, first)
	if licences, err := filepath.Glob(filepath.Join(place, "licences", "github.com", "moby", "buildkit@*", "LICENSE")); err != nil || len(licences) != 1 {
		t.Errorf("BuildKit's licence is %q, %v", licences, err)
	}
	there := e2etest.User{Dir: t.TempDir()}
	start := time.Now()
	said, code := buildThere(t, place, there.Dir, dir, func(line string) {
		if strings.Contains(line, `"started"`) && !start.IsZero() {
			t.Logf("the first step of the first build began after %s", time.Since(start).Round(100*time.Millisecond))
			start = time.Time{}
		}
	})
	if code != 0 || strings.Contains(said, "compiling the engine") || !start.IsZero() {
		t.Fatalf("exit code %d\n%s", code, e2etest.Tail(said))
	}
	if got, want := there.Digest(t), u.Digest(t); got != want {
		t.Errorf("digest is %s by the release, %s by the engine of the tests", got, want)
	}

	program := filepath.Join(place, "buildkitd")
	data, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 1
	e2etest.Write(t, program, data)
	if err = os.Remove(filepath.Join(place, "supervisor")); err != nil {
		t.Fatal(err)
	}
	said, code = buildThere(t, place, there.Dir, dir, func(string) {})
	for _, text := range []string{"buildkitd\" is not what this command was released with", "supervisor\" is missing", "unpack the whole release again"} {
		if code != 4 || !strings.Contains(said, text) {
			t.Errorf("exit code %d, want 4, and it does not print %q:\n%s", code, text, e2etest.Tail(said))
		}
	}
}

// pack makes the release of some platforms, and returns the tarball of each.
func pack(t *testing.T, checkout string, platforms []string, env ...string) map[string][]byte {
	t.Helper()
	out := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "go", "run", "./internal/release", "-version", "v1.2.3", "-platforms", strings.Join(platforms, ","), "-out", out)
	cmd.Dir, cmd.Env = checkout, append(os.Environ(), env...)
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("packing a release: %v\n%s", err, said)
	}
	check := exec.CommandContext(t.Context(), "sha256sum", "--check", "--strict", "SHA256SUMS")
	check.Dir = out
	if said, err := check.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, said)
	}
	made := map[string][]byte{}
	for _, p := range platforms {
		data, err := os.ReadFile(filepath.Join(out, "lamina-v1.2.3-"+strings.ReplaceAll(p, "/", "-")+".tar.gz"))
		if err != nil {
			t.Fatal(err)
		}
		made[p] = data
	}
	return made
}

// checkout copies the files that git lists in this checkout.
func checkout(t *testing.T) string {
	t.Helper()
	root, dir := e2etest.Root(t), filepath.Join(t.TempDir(), "a checkout")
	list := exec.CommandContext(t.Context(), "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	list.Dir = root
	names, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(names), "\x00"), "\x00") {
		data, err := os.ReadFile(filepath.Join(root, name))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err == nil {
			err = os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
		e2etest.Write(t, filepath.Join(dir, name), data)
	}
	return dir
}

// unpack returns the directory with the command.
func unpack(t *testing.T, platform string, data []byte) string {
	t.Helper()
	dir := t.TempDir()
	zip, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(zip); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return filepath.Join(dir, "lamina-v1.2.3-"+strings.ReplaceAll(platform, "/", "-"))
		}
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, h.Name)
		if h.Typeflag == tar.TypeDir {
			err = os.Mkdir(path, h.FileInfo().Mode())
		} else {
			var f *os.File
			if f, err = os.OpenFile(path, os.O_CREATE|os.O_WRONLY, h.FileInfo().Mode()); err == nil {
				_, err = io.Copy(f, r)
				err = errors.Join(err, f.Close())
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// buildThere builds a project with the command of a release, with an empty home directory and
// without Go.
func buildThere(t *testing.T, place, dir, project string, hear func(line string)) (said string, code int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(place, "build"), "--progress", "rawjson", project)
	cmd.Dir = dir
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return !slices.Contains([]string{"LAMINA_DEBIAN_MIRROR", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE"}, strings.ToUpper(name))
	}), "PATH=/usr/bin:/bin", "HOME="+t.TempDir())
	out, err := cmd.StderrPipe()
	if err == nil {
		cmd.Stdout = cmd.Stderr
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for lines := bufio.NewReader(out); err == nil; {
		var line string
		line, err = lines.ReadString('\n')
		all.WriteString(line)
		hear(line)
	}
	_ = cmd.Wait() // see the exit code
	return all.String(), cmd.ProcessState.ExitCode()
}
