package llb

import (
	"github.com/containerd/containerd/v2/core/content"
	bkllb "github.com/moby/buildkit/client/llb"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Layer is a finished layer in a content store of the client or in a registry, wrapped as an
// image of that one layer. A graph refers to it by digest, so its content never enters the
// graph.
type Layer struct {
	Name   string             // for people: "app", "weights/unet.safetensors"
	Image  digest.Digest      // of the manifest of the image with only this layer
	Blob   ocispec.Descriptor // the layer as stored: media type, digest, compressed size
	DiffID digest.Digest      // of the uncompressed tar
	Size   int64              // of the uncompressed tar, bytes
	Paths  []string           // its content: sorted, absolute, directories end in "/"
}

// The names of the client's content stores in graphs.
const (
	packedStore = "lamina"
	modelStore  = "lamina-models"
)

// Stores returns the content stores of the client for a solve, by the names that [Packed] and
// [Pulled] use. models is nil if no graph needs it.
func Stores(packed, models content.Store) map[string]content.Store {
	stores := map[string]content.Store{packedStore: packed}
	if models != nil {
		stores[modelStore] = models
	}
	return stores
}

// VendorStore is the name of the client's store of vendored files in graphs.
const VendorStore = "lamina-vendored"

// Vendored returns the identifier of a file in the client's store of vendored files, for a
// source or a git tree's bundle.
func Vendored(blob digest.Digest) string {
	return "oci-layout+blob://lamina.build/vendored@" + blob.String()
}

// Packed returns a layer that the client has. Its content moves to the engine when something
// reads it, but not if it is only merged and pushed to where it already is.
func Packed(l Layer) State {
	return bkllb.OCILayout("lamina/packed@"+l.Image.String(), bkllb.OCIStore("", packedStore), bkllb.WithCustomName("load "+l.Name))
}

// Pulled returns the content of an image in the client's store of models, named by its
// manifest. As with [Packed], a Merge doesn't move it. Its config says amd64, whatever the
// platform of the images that it is merged into.
func Pulled(name string, manifest digest.Digest) State {
	return bkllb.OCILayout("lamina/model@"+manifest.String(), bkllb.OCIStore("", modelStore), bkllb.LinuxAmd64, bkllb.WithCustomName("load "+name))
}

// Published returns the content of an image in a registry, "registry.example/model@sha256:…".
// A Merge doesn't move it, either.
func Published(name, reference string) State {
	return bkllb.Image(reference, bkllb.LinuxAmd64, bkllb.WithCustomName("load "+name))
}
