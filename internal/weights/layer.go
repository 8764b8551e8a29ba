package weights

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"path"
	"slices"
	"sort"
	"strings"

	"github.com/opencontainers/go-digest"

	"lamina.build/internal/layers"
	"lamina.build/lock"
)

// MaxLayers is the maximum number of layers of a published model, of the 127 that an
// image may have: Python packages may take 60 (stages.WheelLayers), and the base, the
// runtime and the app need theirs. It is the same for everybody, because it decides
// which files share a layer and so the digests that others look for: changing it means
// another [lock.ModelPlan].
const MaxLayers = 60

// Layer is a layer of a locked model.
type Layer struct {
	layers.Outline

	Files map[string]lock.ModelFile // by [layers.Part.File]

	starts []int64 // of the parts, in the tar
}

// Layers divides a model into at most limit layers: [MaxLayers] for everything
// published. name is for people. A lock whose files have no path in an image is an
// error.
func Layers(name string, m lock.Model, limit int) ([]Layer, error) {
	files := make(map[string]lock.ModelFile, len(m.Files))
	sizes, problems := make([]layers.Size, 0, len(m.Files)), make([]error, 0, len(m.Files))
	for _, f := range m.Files {
		target := strings.TrimPrefix(imagePath(m, f), "/")
		files[target] = f
		sizes = append(sizes, layers.Size{Path: target, Bytes: f.Size})
		problems = append(problems, checkFile(f))
	}
	if err := errors.Join(problems...); err != nil {
		return nil, fmt.Errorf("planning weights %q: %w", name, err)
	}
	outlines, _, err := layers.Outlines(name, m.Path, sizes, limit)
	if err != nil {
		return nil, err
	}
	layers := make([]Layer, len(outlines))
	for i, o := range outlines {
		layers[i] = layer(o, files)
	}
	return layers, nil
}

func layer(o layers.Outline, files map[string]lock.ModelFile) Layer {
	l := Layer{Outline: o, Files: map[string]lock.ModelFile{}, starts: make([]int64, len(o.Parts))}
	var at int64
	for i, p := range o.Parts {
		if p.File != "" {
			l.Files[p.File] = files[p.File]
		}
		l.starts[i] = at
		at += p.Size
	}
	return l
}

// checkFile finds errors that would otherwise show only after the download, or never.
func checkFile(f lock.ModelFile) error {
	sum, err := hex.DecodeString(f.SHA256)
	if err != nil || len(sum) != sha256.Size {
		return fmt.Errorf("file %q: %q is not a sha256", f.Path, f.SHA256)
	}
	if empty := sha256.Sum256(nil); f.Size == 0 && !slices.Equal(sum, empty[:]) {
		return &MismatchError{File: f.Path, Want: f.SHA256, Got: hex.EncodeToString(empty[:])}
	}
	return nil
}

// imagePath returns the path of a file in the image.
func imagePath(m lock.Model, f lock.ModelFile) string { return path.Join(m.Path, m.Target(f.Path)) }

// key identifies the content of the layer before any of it is read.
func (l Layer) key() digest.Digest {
	sums := make(map[string]string, len(l.Files))
	for target, f := range l.Files {
		sums[target] = f.SHA256
	}
	return l.Key(sums)
}

// Digest identifies the files of a model by their contents and their paths in the
// image, however they are divided into layers, same as [lock.Model.Digest].
func Digest(m lock.Model) digest.Digest {
	sums := make(map[string]digest.Digest, len(m.Files))
	for _, f := range m.Files {
		sums[imagePath(m, f)] = digest.NewDigestFromEncoded(digest.SHA256, f.SHA256)
	}
	return layers.SetDigest(sums)
}

// piece is the intersection of a range of a layer with one part.
type piece struct {
	part   layers.Part
	offset int64 // in the part
	at     int64 // in the range
	size   int64
}

// ends reports whether the piece has the part's last byte.
func (p piece) ends() bool { return p.offset+p.size == p.part.Size }

// pieces splits the range from one byte up to another by its parts.
func (l *Layer) pieces(from, to int64) iter.Seq[piece] {
	return func(yield func(piece) bool) {
		first := sort.Search(len(l.starts), func(i int) bool { return l.starts[i]+l.Parts[i].Size > from })
		for i := first; i < len(l.Parts) && l.starts[i] < to; i++ {
			begin, end := max(l.starts[i], from), min(l.starts[i]+l.Parts[i].Size, to)
			if !yield(piece{l.Parts[i], begin - l.starts[i], begin - from, end - begin}) {
				return
			}
		}
	}
}

// MismatchError is a file whose content differs from the lock.
type MismatchError struct {
	File      string // of the model, as of [lock.ModelFile.Path]
	Want, Got string // sha256, hexadecimal
}

func (e *MismatchError) Error() string {
	return fmt.Sprintf("file %q has the sha256 %s, but %s in the lock", e.File, e.Got, e.Want)
}

// Hint returns what to do about it.
func (e *MismatchError) Hint() string {
	return "run it again in case it was damaged in transit; else the file was replaced at its source: lock the model again once you know why"
}
