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

// maxPerLayer keeps the report of a bad layer readable.
const maxPerLayer = 10

// Verify reads a whole image, or all images of an index, and returns every fault: blobs that
// differ from their descriptors, wrong diff IDs, media types that are not OCI's, and entries
// that would make the image differ from build to build.
func Verify(ctx context.Context, p content.Provider, desc ocispec.Descriptor) error {
	images, err := layout.Images(ctx, p, desc)
	if err != nil {
		return fmt.Errorf("verifying %s: %w", desc.Digest, err)
	}
	var faults []error
	if len(images) == 0 {
		faults = append(faults, errors.New("index: has no image"))
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
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	m, diffs := image.Manifest, image.Config.RootFS.DiffIDs
	if m.MediaType != ocispec.MediaTypeImageManifest || image.Desc.MediaType != m.MediaType {
		fault("manifest: media type %q", m.MediaType)
	}
	if m.Config.MediaType != ocispec.MediaTypeImageConfig {
		fault("config: media type %q", m.Config.MediaType)
	}
	if len(diffs) != len(m.Layers) {
		fault("config: %d diff ids for %d layers", len(diffs), len(m.Layers))
		return faults
	}
	for i, layer := range m.Layers {
		name := fmt.Sprintf("layer %d", i+1)
		if !strings.HasPrefix(layer.MediaType, "application/vnd.oci.image.layer.v1.tar") {
			fault("%s: media type %q", name, layer.MediaType)
		}
		v := &headers{layer: name}
		got, err := walk(ctx, p, layer, v.visit)
		faults = append(faults, v.faults...)
		switch {
		case err != nil:
			fault("%s: %w", name, err)
		case got.digest != layer.Digest:
			fault("%s: the blob's digest is %s, not %s", name, got.digest, layer.Digest)
		case got.size != layer.Size:
			fault("%s: the blob has %d bytes, not %d", name, got.size, layer.Size)
		case got.diffID != diffs[i]:
			fault("%s: the diff id is %s, not %s", name, got.diffID, diffs[i])
		}
	}
	return faults
}

// headers checks the entries of one layer in their order.
type headers struct {
	layer  string
	last   string
	faults []error
}

func (v *headers) visit(h *tar.Header) {
	for _, reason := range v.check(h) {
		switch {
		case len(v.faults) < maxPerLayer:
			v.faults = append(v.faults, fmt.Errorf("%s: path %q: %s", v.layer, absolute(h.Name), reason))
		case len(v.faults) == maxPerLayer:
			v.faults = append(v.faults, fmt.Errorf("%s: has more faults of this kind", v.layer))
		}
	}
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
