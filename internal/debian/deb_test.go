package debian_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"lamina.build/internal/debian"
	"lamina.build/internal/test/testworld"
)

func stored(t *testing.T, deb []byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "a.deb")
	if err := os.WriteFile(name, deb, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestAFileOfADebIsRead(t *testing.T) {
	for _, compression := range []string{".xz", ".gz", ".zst"} {
		t.Run(compression, func(t *testing.T) {
			t.Parallel()
			deb := testworld.Deb{
				Name: "hello", Compression: compression,
				Files: map[string]string{"/usr/bin/hello": "#!/bin/sh\n", "/usr/share/doc/hello/copyright": "free\n"},
			}.Bytes(t)
			name := stored(t, deb)
			got, err := debian.ReadDebFile(name, "bin/hello", "usr/*/hello")
			if err != nil || string(got) != "#!/bin/sh\n" {
				t.Errorf("got %q, %v", got, err)
			}
			if _, err := debian.ReadDebFile(name, "usr/bin/goodbye"); err == nil || !strings.Contains(err.Error(), "goodbye") {
				t.Errorf("a file that is not there: got %v", err)
			}
		})
	}
}

func TestADebIsWalked(t *testing.T) {
	t.Parallel()
	deb := testworld.Deb{Name: "hello", Files: map[string]string{"/usr/bin/hello": "x", "/etc/a": "yy"}}.Bytes(t)
	var got []string
	err := debian.WalkDeb(bytes.NewReader(deb), func(h *tar.Header, _ io.Reader) error {
		got = append(got, h.Name)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"", "etc", "etc/a", "usr", "usr/bin", "usr/bin/hello"}, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// busybox gets uncompressed what it can't unpack.
func TestADebIsMadePlain(t *testing.T) {
	t.Parallel()
	files := map[string]string{"/usr/bin/x": "program", "/usr/share/x/odd": "1"}
	for compression, isPlain := range map[string]bool{".xz": false, ".gz": false, ".zst": true} {
		name := stored(t, testworld.Deb{Name: "x", Compression: compression, Files: files}.Bytes(t))
		plain, err := debian.PlainDeb(name)
		if err != nil || (plain != nil) != isPlain {
			t.Errorf("%q: %d bytes, %v", compression, len(plain), err)
		}
		if !isPlain {
			continue
		}
		if !bytes.Contains(plain, []byte("data.tar  ")) {
			t.Errorf("%q is still compressed", compression)
		}
		for want, content := range files {
			if got, err := debian.ReadDebFile(stored(t, plain), want[1:]); err != nil || string(got) != content {
				t.Errorf("%q: %s is %q, %v", compression, want, got, err)
			}
		}
	}
}

func TestABrokenDebIsRefused(t *testing.T) {
	t.Parallel()
	deb := testworld.Deb{Name: "hello", Files: map[string]string{"/usr/bin/hello": strings.Repeat("x", 9999)}}.Bytes(t)
	head, rest, found := bytes.Cut(deb, []byte("data.tar"))
	if !found {
		t.Fatal("the package has no data")
	}
	for _, tc := range []struct {
		name string
		data []byte
	}{
		{"empty", nil},
		{"a page", []byte("<html>no such file</html>")},
		{"cut within a header", deb[:30]},
		{"cut within the data", slices.Concat(head, []byte("data.tar"), rest[:90])},
		{"no data", head},
		{"an unknown compression", bytes.Replace(deb, []byte("data.tar.xz "), []byte("data.tar.lzz"), 1)},
		{"a broken size", bytes.Replace(deb, []byte("100644  4 "), []byte("100644  x "), 1)},
	} {
		if _, err := debian.ReadDebFile(stored(t, tc.data), "usr/bin/hello"); err == nil {
			t.Errorf("%s: it was accepted", tc.name)
		}
	}
}

func FuzzWalkDebNeverPanics(f *testing.F) {
	f.Add(testworld.Deb{Name: "a", Compression: ".gz", Files: map[string]string{"/a": "b"}}.Bytes(f))
	f.Fuzz(func(_ *testing.T, data []byte) {
		_ = debian.WalkDeb(bytes.NewReader(data), func(*tar.Header, io.Reader) error { return nil })
	})
}

// A package that would fill memory is rejected while unpacking.
func TestADebThatIsABomb(t *testing.T) {
	t.Parallel()
	var data bytes.Buffer
	z, err := zstd.NewWriter(&data, zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		t.Fatal(err)
	}
	w := tar.NewWriter(z)
	err = w.WriteHeader(&tar.Header{Name: "usr/bin/x", Size: 2 << 30, Mode: 0o755})
	zeros := make([]byte, 1<<20)
	for n := 0; n < 520 && err == nil; n++ {
		_, err = w.Write(zeros)
	}
	if err = errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	deb := fmt.Sprintf("!<arch>\n%-16s%-12d%-6d%-6d%-8s%-10d`\n%s", "data.tar.zst", 0, 0, 0, "100644", data.Len(), data.String())
	if data.Len() > 1<<20 {
		t.Fatalf("it has %d bytes", data.Len())
	}
	_, err = debian.ReadDebFile(stored(t, []byte(deb)), "usr/bin/x")
	if err == nil || !strings.Contains(err.Error(), "it unpacks to more than 512 MB") {
		t.Errorf("got %v", err)
	}
	if _, err = debian.PlainDeb(stored(t, []byte(deb))); err == nil || !strings.Contains(err.Error(), "it unpacks to more than 512 MB") {
		t.Errorf("made plain: %v", err)
	}
}
