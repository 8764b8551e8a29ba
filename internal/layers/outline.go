package layers

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/opencontainers/go-digest"
)

// Outline is a layer of weights before there is any content: all of its tar except the
// content of files. Its size and paths are known, and its final bytes are those that
// [Weights] gives for the same files.
type Outline struct {
	Name  string // for people: "MODEL/FILE"
	Parts []Part // in the order of the tar
	Size  int64  // of the tar, in bytes
	Paths []string
}

// Part is a range of a tar: known bytes, or the content of a file.
type Part struct {
	Bytes []byte // headers, padding, the end; nil for a file
	File  string // as of [Size.Path]; "" where it isn't a file
	Size  int64
}

// Outlines divides the files of a model into layers like [Weights], and renders what is
// known of each. name is for people; target, absolute and clean, is the directory of the
// image that their names omit. Files have the mode 0644. joined reports whether files
// were joined to keep the limit.
func Outlines(name, target string, files []Size, limit int) (outlines []Outline, joined bool, err error) {
	dir, err := targetDir(target)
	if err == nil {
		err = checkSizes(files)
	}
	if err != nil {
		return nil, false, fmt.Errorf("planning weights %q: %w", name, err)
	}
	bundles, joined := Plan(files, limit)
	for _, b := range bundles {
		o, err := outline(fileEntries(b))
		if err != nil {
			return nil, false, fmt.Errorf("planning weights %q: %w", name, err)
		}
		o.Name = layerName(name, b, dir)
		outlines = append(outlines, o)
	}
	return outlines, joined, nil
}

// checkSizes finds everything that no layer can hold.
func checkSizes(files []Size) error {
	if len(files) == 0 {
		return ErrEmpty
	}
	var problems []error
	entries := make(map[string]entry, len(files))
	for _, f := range files {
		_, twice := entries[f.Path]
		if reason := f.unfit(twice); reason != "" {
			problems = append(problems, &EntryError{Path: f.Path, Reason: reason})
			continue
		}
		entries[f.Path] = entry{}
	}
	return errors.Join(append(sortProblems(problems), nested(entries)...)...)
}

// unfit returns why a file can't go into a layer.
func (f Size) unfit(twice bool) string {
	switch {
	case f.Path == "." || !fs.ValidPath(f.Path) || strings.ContainsRune(f.Path, 0):
		return "is not a clean path"
	case strings.Contains("/"+f.Path, "/.wh."):
		return "a name that begins with .wh. deletes files in a layer"
	case f.Bytes < 0:
		return "has a negative size"
	case twice:
		return "another file has the same name in the image"
	}
	return ""
}

func fileEntries(b Bundle) []entry {
	entries := make([]entry, len(b.Files))
	for i, f := range b.Files {
		entries[i] = entry{name: f.Path, mode: 0o644, size: f.Bytes, kind: file}
	}
	return withParents(entries)
}

// outline renders the tar of the entries, as writeTar does.
func outline(entries []entry) (Outline, error) {
	o := Outline{Paths: paths(entries)}
	var known bytes.Buffer // all that isn't file content, concatenated
	done := 0              // how much of it has a part
	flush := func() {
		o.Parts = append(o.Parts, Part{Size: int64(known.Len() - done)})
		done = known.Len()
	}
	for _, e := range entries {
		// A writer has no state between two headers, and a new one doesn't wait
		// for the content of the file before.
		if err := tar.NewWriter(&known).WriteHeader(header(e)); err != nil {
			return Outline{}, fmt.Errorf("packing %q: %w", e.name, err)
		}
		if e.kind == file && e.size > 0 {
			flush()
			o.Parts = append(o.Parts, Part{File: e.name, Size: e.size})
			known.Write(make([]byte, padding(e.size)))
		}
	}
	if err := tar.NewWriter(&known).Close(); err != nil {
		return Outline{}, err
	}
	flush()
	o.settle(known.Bytes())
	return o, nil
}

// settle assigns the parts their bytes.
func (o *Outline) settle(known []byte) {
	for i, p := range o.Parts {
		o.Size += p.Size
		if p.File == "" {
			o.Parts[i].Bytes, known = known[:p.Size:p.Size], known[p.Size:]
		}
	}
}

// padding returns the padding of a file's last block.
func padding(size int64) int64 { return -size & 511 }

// Key identifies the layer's content before any of it is read: two layers with the same
// key have the same digest. sums are the sha256 of its files in hexadecimal, by
// [Part.File].
func (o Outline) Key(sums map[string]string) digest.Digest {
	h := sha256.New()
	for _, p := range o.Parts {
		sum := sums[p.File]
		if p.File == "" {
			known := sha256.Sum256(p.Bytes)
			sum = hex.EncodeToString(known[:])
		}
		_, _ = fmt.Fprintf(h, "%t %d %s\n", p.File != "", p.Size, strings.ToLower(sum)) // a hash never fails
	}
	return digest.NewDigest(digest.SHA256, h)
}
