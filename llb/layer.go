package llb

import (
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
