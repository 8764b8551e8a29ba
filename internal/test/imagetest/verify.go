package imagetest

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/containerd/containerd/v2/core/content"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/internal/layers"
	"lamina.build/internal/layout"
	"lamina.build/llb"
)

// VerifyError is a fault of an exported image.
type VerifyError struct {
	Blob   string // what it is in: "manifest", "config", "layer 3"
	Path   string // of the entry, where it is about one
	Reason string
}

func (e *VerifyError) Error() string {
	if e.Path == "" {
		return e.Blob + ": " + e.Reason
	}
	return fmt.Sprintf("%s: path %q: %s", e.Blob, e.Path, e.Reason)
}

// maxPerLayer keeps the report of a layer gone wrong readable.
const maxPerLayer = 10

// Verify reads a whole image, or all those of an index, and returns every
// fault: a blob that is not what its descriptor says, a diff id that is not
// the layer's, media types that are not OCI's, and entries that would make
// the image differ from build to build.
func Verify(ctx context.Context, p content.Provider, desc ocispec.Descriptor) error {
	images, err := layout.Images(ctx, p, desc)
	if err != nil {
		return fmt.Errorf("verifying %s: %w", desc.Digest, err)
	}
	var faults []error
	if len(images) == 0 {
		faults = append(faults, &VerifyError{Blob: "index", Reason: "has no image"})
	}
	for _, image := range images {
		faults = append(faults, verifyImage(ctx, p, image)...)
	}
	if err := errors.Join(faults...); err != nil {
		return fmt.Errorf("verifying %s: %w", desc.Digest, err)
	}
	return nil
}

func verifyImage(ctx context.Context, p content.Provider, image layout.Image) (faults []error) {
	fault := func(blob, format string, args ...any) {
		faults = append(faults, &VerifyError{Blob: blob, Reason: fmt.Sprintf(format, args...)})
	}
	m, diffs := image.Manifest, image.Config.RootFS.DiffIDs
	if m.MediaType != ocispec.MediaTypeImageManifest || image.Desc.MediaType != m.MediaType {
		fault("manifest", "media type %q", m.MediaType)
	}
	if m.Config.MediaType != ocispec.MediaTypeImageConfig {
		fault("config", "media type %q", m.Config.MediaType)
	}
	if len(diffs) != len(m.Layers) {
		fault("config", "%d diff ids for %d layers", len(diffs), len(m.Layers))
		return faults
	}
	for i, layer := range m.Layers {
		name := fmt.Sprintf("layer %d", i+1)
		if !strings.HasPrefix(layer.MediaType, "application/vnd.oci.image.layer.v1.tar") {
			fault(name, "media type %q", layer.MediaType)
		}
		v := &headers{layer: name}
		got, err := walkLayer(ctx, p, layer, v.visit)
		faults = append(faults, v.faults...)
		switch {
		case err != nil:
			fault(name, "%v", err)
		case got.digest != layer.Digest:
			fault(name, "the blob's digest is %s, not %s", got.digest, layer.Digest)
		case got.size != layer.Size:
			fault(name, "the blob has %d bytes, not %d", got.size, layer.Size)
		case got.diffID != diffs[i]:
			fault(name, "the diff id is %s, not %s", got.diffID, diffs[i])
		}
	}
	return faults
}

// headers checks the entries of one layer as they come.
type headers struct {
	layer  string
	last   string
	faults []error
}

func (v *headers) visit(h *tar.Header) error {
	for _, reason := range v.check(h) {
		if len(v.faults) == maxPerLayer {
			v.faults = append(v.faults, &VerifyError{Blob: v.layer, Reason: "has more faults of this kind"})
		}
		if len(v.faults) < maxPerLayer {
			v.faults = append(v.faults, &VerifyError{Blob: v.layer, Path: absolute(h.Name), Reason: reason})
		}
	}
	return nil
}

func (v *headers) check(h *tar.Header) (reasons []string) {
	name := absolute(h.Name)
	if strings.HasPrefix(path.Base(name), ".wh.") {
		reasons = append(reasons, "is a whiteout")
	}
	if h.ModTime.Unix() != llb.Epoch || h.ModTime.Nanosecond() != 0 {
		at := h.ModTime.UTC().Format("2006-01-02T15:04:05.999999999Z")
		reasons = append(reasons, fmt.Sprintf("time is %s, not the epoch", at))
	}
	if !h.AccessTime.IsZero() || !h.ChangeTime.IsZero() {
		reasons = append(reasons, "has an access or change time")
	}
	if v.last != "" && layers.CompareWalk(v.last, name) >= 0 {
		reasons = append(reasons, fmt.Sprintf("comes after %q", v.last))
	}
	v.last = name
	keys := make([]string, 0, len(h.PAXRecords))
	for key := range h.PAXRecords {
		if attr, ok := strings.CutPrefix(key, "SCHILY.xattr."); ok && attr != "security.capability" {
			keys = append(keys, fmt.Sprintf("has the extended attribute %q", attr))
		}
	}
	slices.Sort(keys)
	return append(reasons, keys...)
}

// absolute is an entry's name as a path of the image.
func absolute(name string) string { return path.Join("/", name) }
