package testworld

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"lamina.build/internal/debian"
)

// Distribution publishes packages of the real Debian with all that they need, and what the base
// and apt need, as a third party's distribution: under another key, and with the essential
// packages compressed as in Ubuntu, with zstd. The real ones come from mirrors, and are kept
// in the directory cache.
func (w *World) Distribution(mirrors debian.Mirrors, cache string, o DebianOptions, names ...string) *Debian {
	t := w.t
	t.Helper()
	getter := debian.NewGetter(cache)
	index := realIndex(t, mirrors, getter)
	names = append(names, "apt", "dpkg", "busybox-static", "libeatmydata1", "usr-is-merged")
	for _, p := range index.Essential() {
		names = append(names, p.Name)
	}
	packages := needed(t, index, names)
	debs := make([]Deb, 0, len(packages))
	for _, p := range packages {
		file, err := getter.Package(t.Context(), mirrors, p)
		if err != nil {
			t.Fatal(err)
		}
		d := Deb{Name: p.Name, Version: p.Version, Architecture: p.Architecture, Essential: p.Essential, Compression: ".zst"}
		for _, field := range [][2]string{
			{"Depends", p.Depends}, {"Pre-Depends", p.PreDepends}, {"Provides", p.Provides}, {"Conflicts", p.Conflicts}, {"Breaks", p.Breaks}, {"Multi-Arch", p.MultiArch},
		} {
			if field[1] != "" {
				d.Fields = append(d.Fields, field[0]+": "+field[1])
			}
		}
		if d.Made, err = os.ReadFile(file); err != nil { //nolint:gosec // of the cache
			t.Fatal(err)
		}
		if p.Essential || p.Name == "libc6" {
			d.Made = packedAnew(t, d.Made, ".zst")
		}
		debs = append(debs, d)
	}
	return w.Debian(o, debs...)
}

func realIndex(t testing.TB, mirrors debian.Mirrors, getter *debian.Getter) *debian.Index {
	t.Helper()
	keys, err := debian.ArchiveKeys()
	if err != nil {
		t.Fatal(err)
	}
	s := debian.Source{Repository: debian.Main, Suite: "bookworm", Components: []string{"main"}, Keys: keys}
	r, err := getter.Release(t.Context(), mirrors, s, time.Now(), func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	files, err := getter.Packages(t.Context(), mirrors, &r, s.Components, "amd64")
	if err != nil {
		t.Fatal(err)
	}
	index, err := debian.NewIndex(t.Context(), files)
	if err != nil {
		t.Fatal(err)
	}
	return index
}

// needed returns packages with all that they need; of alternatives, the first that exists.
func needed(t testing.TB, index *debian.Index, queue []string) (found []*debian.Package) {
	t.Helper()
	seen := map[string]bool{}
	for len(queue) > 0 {
		name := queue[0]
		queue = queue[1:]
		p, ok := index.Best(name)
		if seen[name] || !ok {
			continue
		}
		seen[name] = true
		found = append(found, p)
		relations, err := debian.ParseRelations(p.PreDepends + "," + p.Depends)
		if err != nil {
			t.Fatal(err)
		}
		for _, alternatives := range relations {
			i := slices.IndexFunc(alternatives, func(r debian.Relation) bool {
				return len(index.Candidates(r.Name))+len(index.Providers(r.Name)) > 0
			})
			if i < 0 {
				continue
			}
			queue = append(queue, alternatives[i].Name)
			if _, real := index.Best(alternatives[i].Name); !real {
				queue = append(queue, index.Providers(alternatives[i].Name)[0])
			}
		}
	}
	return found
}

// packedAnew returns a .deb with its files compressed in another way.
func packedAnew(t testing.TB, deb []byte, compression string) []byte {
	t.Helper()
	var files bytes.Buffer
	out := tar.NewWriter(&files)
	err := debian.WalkDeb(bytes.NewReader(deb), func(h *tar.Header, content io.Reader) error {
		if h.Name = "./" + h.Name; h.Typeflag == tar.TypeDir {
			h.Name = strings.TrimSuffix(h.Name, "/") + "/"
		}
		if h.Typeflag == tar.TypeLink {
			h.Linkname = "./" + strings.TrimPrefix(h.Linkname, "./")
		}
		if err := out.WriteHeader(h); err != nil {
			return err
		}
		_, err := io.Copy(out, content)
		return err
	})
	if err == nil {
		err = out.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	head, _, _ := bytes.Cut(deb, []byte("data.tar"))
	packed := bytes.NewBuffer(slices.Clone(head))
	member(packed, fmt.Sprint("data.tar", compression), Compress(t, compression, files.Bytes()))
	return packed.Bytes()
}
