package layout

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

// Tar is an archive of the bare files of an image, on its way to a file.
type Tar struct {
	w           *tar.Writer
	directories map[string]bool
	below       string // the directory that the files are in
}

// NewTar returns an archive that is written to w.
func NewTar(w io.Writer) *Tar { return &Tar{w: tar.NewWriter(w), directories: map[string]bool{}} }

// Below puts everything read from now on into a directory.
func (t *Tar) Below(dir string) { t.below = dir }

// Read reads the tar that an engine sends, on top of earlier ones, as the layers of an image
// lie over each other: unpacking keeps the last file of a name. Directories are written
// once.
func (t *Tar) Read(r io.Reader) error {
	for in := tar.NewReader(r); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			_, err = io.Copy(io.Discard, r) // the tar's padding
			return err
		}
		if err == nil {
			err = t.entry(h, in)
		}
		if err != nil {
			return fmt.Errorf("reading the image's files: %w", err)
		}
	}
}

func (t *Tar) entry(h *tar.Header, content io.Reader) error {
	if t.below != "" {
		h.Name = path.Join(t.below, inside(h.Name))
		if h.Typeflag == tar.TypeDir {
			h.Name += "/"
		}
		if h.Typeflag == tar.TypeLink {
			h.Linkname = path.Join(t.below, inside(h.Linkname))
		}
	}
	name := inside(h.Name)
	if strings.HasPrefix(path.Base(name), whiteout) {
		return fmt.Errorf("%q deletes a file of another layer, which an archive of files can't do", name)
	}
	if h.Typeflag == tar.TypeDir {
		if t.directories[name] {
			return nil
		}
		t.directories[name] = true
	}
	err := t.w.WriteHeader(h)
	if err == nil {
		_, err = io.Copy(t.w, content)
	}
	return err
}

// Close ends the archive.
func (t *Tar) Close() error { return t.w.Close() }
