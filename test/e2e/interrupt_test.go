package e2e

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"lamina.build/internal/test/testworld"

	"lamina.build/internal/test/e2etest"
)

// A build that is interrupted in any phase exports nothing and returns its exit code;
// the same command then succeeds and removes what the first left.
func TestRealInterruptedBuilds(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, phase string
		change      func(t *testing.T, dir string)
		signal      syscall.Signal
		code        int
	}{
		{"compiling", "native: compile", func(t *testing.T, dir string) {
			e2etest.Edit(t, filepath.Join(dir, "native", "setup.py"), "setup(", "import os, time\nif not os.path.exists('/none'): time.sleep(5)\nsetup(")
		}, syscall.SIGINT, 130},
		{"testing", "smoke: run", func(t *testing.T, dir string) {
			e2etest.Edit(t, filepath.Join(dir, "image.toml"), selfTest, `["sleep", "5"],`)
		}, syscall.SIGTERM, 130},
		{"killed", "smoke: run", func(t *testing.T, dir string) {
			e2etest.Edit(t, filepath.Join(dir, "image.toml"), selfTest, `["sleep", "5.5"],`)
		}, syscall.SIGKILL, -1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			u, dir := e2etest.NewUser(t), e2etest.Example(t)
			tt.change(t, dir)
			args := []string{dir, "--progress", "plain", "-o", "type=oci", "-o", "type=oci,dest=archive.tar"}
			r := u.Start(t, args...)
			r.Until(tt.phase)
			if err := r.Process.Signal(tt.signal); err != nil {
				t.Fatal(err)
			}
			r.Ends(tt.code)
			u.HasNoImage(t)
			if _, err := os.Stat(filepath.Join(u.Dir, "archive.tar")); err == nil {
				t.Errorf("a build that did not end left an archive")
			}
			u.Build(t, args...)
			if hidden, err := filepath.Glob(filepath.Join(u.Dir, ".*")); err != nil || len(hidden) > 0 {
				t.Errorf("left behind: %q (%v)", hidden, err)
			}
		})
	}
}

// The error for a package that the mirror has dropped names it, and says what to do.
func TestRealDroppedPackageIsNamed(t *testing.T) {
	t.Parallel()
	u, dir := e2etest.UserOf(t, e2etest.FreshEngine(t)), e2etest.Example(t)
	target, err := url.Parse(strings.TrimSuffix(testworld.RealMirrors(t)["debian"], "/debian"))
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = target.Host
	}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "libnvrtc11.2") {
			http.NotFound(w, r)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	defer server.Close()
	u.Env = []string{"LAMINA_DEBIAN_MIRROR=" + server.URL + "/debian"}
	u.Fails(t, 75, []string{"libnvrtc11.2_", "404", "nor from Debian's snapshot archive", "run \"build lock " + dir + "\" to lock its successor"},
		dir, "--progress", "quiet", "--smoke", "off")
	u.HasNoImage(t)
}

// A full disk is reported, keeps its files, and has no partial ones.
func TestRealFullDisk(t *testing.T) {
	t.Parallel()
	u, dir := e2etest.NewUser(t), e2etest.Example(t)
	small := t.TempDir()
	for _, args := range [][]string{
		{"truncate", "-s", "24M", filepath.Join(u.Dir, "disk")},
		{"mkfs.ext4", "-q", filepath.Join(u.Dir, "disk")},
		{"mount", "-o", "loop", filepath.Join(u.Dir, "disk"), small},
	} {
		if out, err := exec.CommandContext(t.Context(), args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("making a small file system: %v: %s", err, out)
		}
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", small).CombinedOutput(); err != nil {
			t.Errorf("unmounting: %v: %s", err, out)
		}
	})
	u.Dir = small
	u.Fails(t, 1, []string{"no space left on device"}, dir, "--progress", "quiet")
	u.HasNoImage(t)
	u.Fails(t, 1, []string{"no space left on device"}, dir, "--progress", "quiet", "-o", "type=oci,dest=image.tar")
	left, err := filepath.Glob(filepath.Join(small, "*image.tar*"))
	if hidden, _ := filepath.Glob(filepath.Join(small, ".image.tar*")); err != nil || len(left)+len(hidden) > 0 {
		t.Errorf("left behind: %v %v (%v)", left, hidden, err)
	}
}
