package layout_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"lamina.build/internal/layout"
)

func archive(t *testing.T, headers ...tar.Header) *bytes.Reader {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range headers {
		h.ModTime = time.Unix(315532800, 0)
		h.Uid, h.Gid = os.Geteuid(), os.Getegid()
		if h.Typeflag == tar.TypeReg {
			h.Size = int64(len(h.Name))
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg {
			if _, err := w.Write([]byte(h.Name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return bytes.NewReader(b.Bytes())
}

func TestFilesKeepModesLinksAndTimes(t *testing.T) {
	defer unix.Umask(unix.Umask(0o022))
	dest := filepath.Join(t.TempDir(), "root")
	f, err := layout.PrepareDir(dest)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	err = f.Read(archive(t,
		tar.Header{Name: "./", Typeflag: tar.TypeDir, Mode: 0o700}, // the image's root isn't one of its files
		tar.Header{Name: "tmp/", Typeflag: tar.TypeDir, Mode: 0o1777},
		tar.Header{Name: "usr/bin/", Typeflag: tar.TypeDir, Mode: 0o555},
		tar.Header{Name: "usr/bin/su", Typeflag: tar.TypeReg, Mode: 0o4755},
		tar.Header{Name: "usr/bin/su2", Typeflag: tar.TypeLink, Linkname: "usr/bin/su"},
		tar.Header{Name: "bin", Typeflag: tar.TypeSymlink, Linkname: "usr/bin"},
	))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dest); err == nil {
		t.Error("the directory exists before Commit")
	}
	if err := f.Commit(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(filepath.Join(dest, "usr/bin"), 0o755) }) // so that non-root users can remove it
	if info, err := os.Stat(dest); err != nil || info.Mode() != fs.ModeDir|0o755 {
		t.Errorf("the directory is %v, %v", info, err)
	}
	for name, mode := range map[string]fs.FileMode{
		"tmp": fs.ModeDir | fs.ModeSticky | 0o777, "usr/bin": fs.ModeDir | 0o555, "bin": fs.ModeSymlink | 0o777,
		"usr/bin/su": fs.ModeSetuid | 0o755, "usr/bin/su2": fs.ModeSetuid | 0o755,
	} {
		info, err := os.Lstat(filepath.Join(dest, name))
		if err != nil {
			t.Error(err)
			continue
		}
		if info.Mode() != mode {
			t.Errorf("%s is %v, want %v", name, info.Mode(), mode)
		}
		if name != "bin" && info.ModTime().Unix() != 315532800 {
			t.Errorf("%s has the time %v", name, info.ModTime())
		}
	}
}

// A tar like that of ping. Files that are linked, or replaced by a higher layer, are one file each.
func TestFilesKeepCapabilities(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root may give capabilities")
	}
	const raw = "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" // cap_net_raw=ep
	dest := filepath.Join(t.TempDir(), "root")
	f, err := layout.PrepareDir(dest)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	records := map[string]string{"SCHILY.xattr.security.capability": raw, "SCHILY.xattr.user.other": "x"}
	ping := tar.Header{Name: "ping", Typeflag: tar.TypeReg, Mode: 0o755, PAXRecords: records}
	again := tar.Header{Name: "again", Typeflag: tar.TypeReg, Mode: 0o755, PAXRecords: records}
	err = f.Read(archive(t, ping, tar.Header{Name: "ping4", Typeflag: tar.TypeLink, Linkname: "ping"}, again))
	if err == nil {
		again.PAXRecords = nil
		err = f.Read(archive(t, again))
	}
	if err = errors.Join(err, f.Commit()); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"ping": raw, "ping4": raw, "again": ""} {
		value := make([]byte, 64)
		n, err := unix.Lgetxattr(filepath.Join(dest, name), "security.capability", value)
		if got := string(value[:max(n, 0)]); got != want {
			t.Errorf("%s has capabilities %q, want %q (%v)", name, got, want, err)
		}
		if n, _ := unix.Lgetxattr(filepath.Join(dest, name), "user.other", value); n > 0 {
			t.Errorf("%s has another attribute", name)
		}
	}
}

func TestWhatIsRefused(t *testing.T) {
	tests := []struct {
		name    string
		headers []tar.Header
		message string
	}{
		{"a device", []tar.Header{{Name: "null", Typeflag: tar.TypeChar}}, "is not supported in a directory"},
		{"escaping through a link", []tar.Header{
			{Name: "out", Typeflag: tar.TypeSymlink, Linkname: "/tmp"}, {Name: "out/file", Typeflag: tar.TypeReg, Mode: 0o644},
		}, "escapes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dest := filepath.Join(t.TempDir(), "root")
			f, err := layout.PrepareDir(dest)
			if err != nil {
				t.Fatal(err)
			}
			err = f.Read(archive(t, tt.headers...))
			if err == nil || !strings.Contains(err.Error(), tt.message) {
				t.Errorf("got error %v, want %s", err, tt.message)
			}
			if err = f.Close(); err != nil {
				t.Fatal(err)
			}
			left, err := os.ReadDir(filepath.Dir(dest))
			if err != nil || len(left) > 0 {
				t.Errorf("left behind: %v (%v)", left, err)
			}
		})
	}
}

func TestADirectoryWithSomethingInItIsLeftAlone(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "mine"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := layout.PrepareDir(dir); err == nil || !strings.Contains(err.Error(), "is not empty") {
		t.Errorf("got error %v", err)
	}
}

func TestDirectoryThatCanNotBeFilled(t *testing.T) {
	dest := filepath.Join(t.TempDir(), "root")
	f, err := layout.PrepareDir(dest)
	if err != nil {
		t.Fatal(err)
	}
	if err = f.Read(strings.NewReader(strings.Repeat("no tar", 1000))); !errors.Is(err, tar.ErrHeader) {
		t.Errorf("invalid tar: %v", err)
	}
	if err = errors.Join(f.Read(archive(t)), f.Close()); err != nil {
		t.Fatal(err)
	}
	if err = f.Read(archive(t)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after Close: %v", err)
	}
}

// Layers lie over each other: the topmost entry wins, whatever its kind.
func TestLayersLieOverEachOther(t *testing.T) {
	dest := filepath.Join(t.TempDir(), "root")
	f, err := layout.PrepareDir(dest)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	file := func(name string) tar.Header { return tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644} }
	dir := func(name string, mode int64) tar.Header {
		return tar.Header{Name: name, Typeflag: tar.TypeDir, Mode: mode}
	}
	link := func(name, to string) tar.Header {
		return tar.Header{Name: name, Typeflag: tar.TypeSymlink, Linkname: to}
	}
	for _, layer := range []*bytes.Reader{
		archive(t, dir("a/", 0o755), file("a/same"), file("a/becomes-dir"), file("a/becomes-link"), dir("a/becomes-file/", 0o755), file("a/becomes-file/x"),
			dir("a/becomes-file/below/", 0o755), dir("target/", 0o700), link("a/link", "../target"), dir("a/once/below/", 0o755), file("a/once")),
		archive(t, file("a/same"), dir("a/becomes-dir/", 0o750), file("a/becomes-dir/y"), link("a/becomes-link", "same"), file("a/becomes-file"), file("a/link/by-link"), dir("a/link/", 0o755), file("a/link/x")),
	} {
		if err = f.Read(layer); err != nil {
			t.Fatal(err)
		}
	}
	if err = f.Commit(); err != nil {
		t.Fatal(err)
	}
	for name, mode := range map[string]fs.FileMode{
		"a/same": 0o644, "a/becomes-dir": fs.ModeDir | 0o750, "a/becomes-dir/y": 0o644, "a/becomes-link": fs.ModeSymlink | 0o777,
		"a/becomes-file": 0o644, "a/once": 0o644, "a/link": fs.ModeDir | 0o755, "a/link/x": 0o644, "target": fs.ModeDir | 0o700, "target/by-link": 0o644,
	} {
		info, statErr := os.Lstat(filepath.Join(dest, name))
		if statErr != nil || info.Mode() != mode {
			t.Errorf("%s: %v, want %v (%v)", name, info, mode, statErr)
		}
	}
	whiteout, err := layout.PrepareDir(filepath.Join(t.TempDir(), "root"))
	if err != nil {
		t.Fatal(err)
	}
	defer whiteout.Close()
	if err := whiteout.Read(archive(t, file("a/.wh.same"))); err == nil {
		t.Error("a whiteout is accepted")
	}
}
