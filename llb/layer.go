package llb

import (
	"github.com/containerd/containerd/v2/core/content"
	bkllb "github.com/moby/buildkit/client/llb"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Layer is a finished layer that lies in a content store of the client or in
// a registry, wrapped as an image of that one layer. A graph refers to it by
// digest, so that its content never enters the graph.
type Layer struct {
	Name   string             // for people: "app", "weights/unet.safetensors"
	Image  digest.Digest      // of the manifest of the image that holds the layer alone
	Blob   ocispec.Descriptor // the layer as stored: media type, digest, compressed size
	DiffID digest.Digest      // of the uncompressed tar
	Size   int64              // of the uncompressed tar, bytes
	Paths  []string           // what it holds: sorted, absolute, directories end in "/"
}

// The names by which graphs know the content stores of the client.
const (
	packedStore = "lamina"
	modelStore  = "lamina-models"
)

// Stores are the content stores of the client as a solve wants them, by the names
// that [Packed] and [Pulled] have for them. models is nil where no graph asks for it.
func Stores(packed, models content.Store) map[string]content.Store {
	stores := map[string]content.Store{packedStore: packed}
	if models != nil {
		stores[modelStore] = models
	}
	return stores
}

// VendorStore is the name by which graphs know the client's store of vendored files.
const VendorStore = "lamina-vendored"

// Vendored names a file in the client's store of vendored files, as the identifier of a
// source and as that of a git tree's bundle.
func Vendored(blob digest.Digest) string {
	return "oci-layout+blob://lamina.build/vendored@" + blob.String()
}

// Packed is a layer that the client holds. Its content moves to the engine
// when something reads it, and never when it is only merged and pushed to
// where it already is.
func Packed(l Layer) State {
	return bkllb.OCILayout("lamina/packed@"+l.Image.String(), bkllb.OCIStore("", packedStore), bkllb.WithCustomName("load "+l.Name))
}

// Pulled is what the layers of an image in the client's store of models hold, which
// is named by its manifest. Like [Packed], they aren't moved for a Merge. Its config says amd64,
// whatever images its layers are merged into: one is for all.
func Pulled(name string, manifest digest.Digest) State {
	return bkllb.OCILayout("lamina/model@"+manifest.String(), bkllb.OCIStore("", modelStore), bkllb.LinuxAmd64, bkllb.WithCustomName("load "+name))
}

// Published is what the layers of an image in a registry hold:
// "registry.example/model@sha256:…". They aren't moved for a Merge, either.
func Published(name, reference string) State {
	return bkllb.Image(reference, bkllb.LinuxAmd64, bkllb.WithCustomName("load "+name))
}
