package layout_test

import (
	"archive/tar"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"lamina.build/internal/layout"
)

// A user without privileges adds files to a directory that a lower layer made read-only, and
// gets one that its files can't be seen in.
func TestReadOnlyDirectories(t *testing.T) {
	if os.Geteuid() == 0 {
		if err := os.Chmod("/proc/self/exe", 0o755); err != nil { // with a umask of 077 nobody else may run it
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run=^TestReadOnlyDirectories$")
		cmd.Dir = "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	dest := filepath.Join(t.TempDir(), "root")
	f, err := layout.PrepareDir(dest)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	dir := func(name string, mode int64) tar.Header {
		return tar.Header{Name: name, Typeflag: tar.TypeDir, Mode: mode}
	}
	for _, layer := range [][]tar.Header{
		{dir("a/", 0o555), dir("hidden/", 0o600), dir("hidden/b/", 0o700)},
		{{Name: "a/x", Typeflag: tar.TypeReg, Mode: 0o644}, {Name: "hidden/b/x", Typeflag: tar.TypeReg, Mode: 0o644}},
	} {
		if err = f.Read(archive(t, layer...)); err != nil {
			t.Fatal(err)
		}
	}
	if err = f.Commit(); err != nil {
		t.Fatal(err)
	}
	for name, mode := range map[string]fs.FileMode{"a": 0o555, "hidden": 0o600} {
		path := filepath.Join(dest, name)
		info, err := os.Stat(path)
		if err != nil || info.Mode() != fs.ModeDir|mode || info.ModTime().Unix() != 315532800 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
		if err = os.Chmod(path, 0o700); err != nil { // so that they can be removed
			t.Error(err)
		}
	}
}
