package weights

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"lamina.build/internal/layers"
	"lamina.build/lock"
)

// MaxLayers is how many layers a published model has at most, of the 127 that
// an image may have: Python packages may take 60 (stages.WheelLayers), and the
// base, the runtime and the app need theirs. It is one number for everybody,
// because it decides which files share a layer and so the digests that others
// look for: another one is another [lock.ModelPlan].
const MaxLayers = 60

// Layer is a layer of a locked model.
type Layer struct {
	layers.Outline

	Files map[string]lock.ModelFile // by [layers.Part.File]
}

// Layers divides a model over layers, at most limit of them: [MaxLayers] for
// all that is published. name is for people. A lock whose files have no place
// in an image is an error.
func Layers(name string, m lock.Model, limit int) ([]Layer, error) {
	files := make(map[string]lock.ModelFile, len(m.Files))
	sizes, faults := make([]layers.Size, 0, len(m.Files)), make([]error, 0, len(m.Files))
	for _, f := range m.Files {
		target := strings.TrimPrefix(imagePath(m, f), "/")
		files[target] = f
		sizes = append(sizes, layers.Size{Path: target, Bytes: f.Size})
		faults = append(faults, checkFile(f))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, fmt.Errorf("planning weights %q: %w", name, err)
	}
	outlines, _, err := layers.Outlines(name, m.Path, sizes, limit)
	if err != nil {
		return nil, err
	}
	layers := make([]Layer, len(outlines))
	for i, o := range outlines {
		layers[i] = Layer{Outline: o, Files: filesOf(o, files)}
	}
	return layers, nil
}

// checkFile finds what would only show once the bytes are there, or never.
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

func filesOf(o layers.Outline, files map[string]lock.ModelFile) map[string]lock.ModelFile {
	of := map[string]lock.ModelFile{}
	for _, p := range o.Parts {
		if p.File != "" {
			of[p.File] = files[p.File]
		}
	}
	return of
}

// imagePath is where a file is in the image.
func imagePath(m lock.Model, f lock.ModelFile) string { return path.Join(m.Path, m.Target(f.Path)) }

// key names what is in the layer before any of it is read.
func (l Layer) key() digest.Digest {
	sums := make(map[string]string, len(l.Files))
	for target, f := range l.Files {
		sums[target] = f.SHA256
	}
	return l.Key(sums)
}

// Digest names the files of a model by their contents and by their paths in the
// image, however they are divided over layers, as [lock.Model.Digest] has it.
func Digest(m lock.Model) digest.Digest {
	sums := make(map[string]digest.Digest, len(m.Files))
	for _, f := range m.Files {
		sums[imagePath(m, f)] = digest.NewDigestFromEncoded(digest.SHA256, f.SHA256)
	}
	return layers.SetDigest(sums)
}
