package e2etest

import (
	"archive/tar"
	"archive/zip"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lamina.build/internal/debian"
	"lamina.build/internal/test/enginetest"
	"lamina.build/internal/test/testworld"
	"lamina.build/lock"
)

// SetupTools returns the wheels of setuptools and wheel that Debian ships for its virtual
// environments: what real sdists are built with.
func SetupTools(t *testing.T) []testworld.Distribution {
	t.Helper()
	mirrors := testworld.RealMirrors(t)
	keys, err := debian.ArchiveKeys()
	if err != nil {
		t.Fatal(err)
	}
	getter := debian.NewGetter(filepath.Join(enginetest.Options(t).CacheDir, "files"))
	source := debian.Source{Repository: "debian", Suite: "bookworm", Components: []string{"main"}, Keys: keys}
	release, err := getter.Release(t.Context(), mirrors, source, time.Now(), func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	files, err := getter.Packages(t.Context(), mirrors, &release, source.Components, "amd64")
	if err != nil {
		t.Fatal(err)
	}
	index, err := debian.NewIndex(t.Context(), files)
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"python3-setuptools-whl", "python3-wheel-whl"}
	wheels := make([]testworld.Distribution, 0, len(names))
	for _, name := range names {
		p, ok := index.Best(name)
		if !ok {
			t.Fatalf("bookworm has no %s", name)
		}
		deb, err := getter.Package(t.Context(), mirrors, p)
		if err != nil {
			t.Fatal(err)
		}
		wheels = append(wheels, testworld.FileWheel(unpackWheel(t, deb)))
	}
	return wheels
}

// unpackWheel extracts the one wheel of a package.
func unpackWheel(t *testing.T, deb string) string {
	t.Helper()
	in, err := os.Open(deb) //nolint:gosec // a file of the cache
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	wheel := ""
	err = debian.WalkDeb(in, func(h *tar.Header, content io.Reader) error {
		if !strings.HasSuffix(h.Name, ".whl") {
			return nil
		}
		data, readErr := io.ReadAll(content)
		if readErr != nil {
			return readErr
		}
		wheel = filepath.Join(t.TempDir(), filepath.Base(h.Name))
		Write(t, wheel, data)
		return debian.ErrStop
	})
	if err != nil || wheel == "" {
		t.Fatalf("no wheel in %s: %v", filepath.Base(deb), err)
	}
	return wheel
}

// UV returns the program that a lock names for its Python packages.
func UV(t *testing.T, l lock.Lock) []byte {
	t.Helper()
	getter := debian.NewGetter(filepath.Join(enginetest.Options(t).CacheDir, "files"))
	wheel, err := getter.Get(t.Context(), l.UV.URL, debian.File{SHA256: l.UV.SHA256, Size: l.UV.Size})
	if err != nil {
		t.Fatal(err)
	}
	archive, err := zip.OpenReader(wheel)
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	in, err := archive.Open("uv-" + l.UV.Version + ".data/scripts/uv")
	if err != nil {
		t.Fatal(err)
	}
	program, err := io.ReadAll(in)
	if err != nil {
		t.Fatal(err)
	}
	return program
}
