package main

import (
	"archive/tar"
	"cmp"
	"compress/gzip"
	"io"
	"path"
	"slices"

	"lamina.build/llb"
)

// file is a file in a tarball.
type file struct {
	name    string // in the tarball's directory
	data    []byte
	program bool
}

// tarball writes files below a directory, sorted by name and with one date, so that its bytes
// depend only on their content.
func tarball(w io.Writer, dir string, files []file) error {
	files = slices.SortedFunc(slices.Values(files), func(a, b file) int { return cmp.Compare(a.name, b.name) })
	zip, err := gzip.NewWriterLevel(w, gzip.BestCompression)
	if err != nil {
		return err
	}
	out := tar.NewWriter(zip)
	made := map[string]bool{}
	for _, f := range files {
		name := path.Join(dir, f.name)
		for _, parent := range parents(name) {
			if made[parent] {
				continue
			}
			made[parent] = true
			if err = out.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: parent + "/", Mode: 0o755, ModTime: llb.EpochTime()}); err != nil {
				return err
			}
		}
		h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(f.data)), ModTime: llb.EpochTime()}
		if f.program {
			h.Mode = 0o755
		}
		if err = out.WriteHeader(h); err != nil {
			return err
		}
		if _, err = out.Write(f.data); err != nil {
			return err
		}
	}
	return cmp.Or(out.Close(), zip.Close())
}

// parents returns the directories of a path, the outermost first.
func parents(name string) (dirs []string) {
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		dirs = append([]string{dir}, dirs...)
	}
	return dirs
}
