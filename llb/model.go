package llb

import (
	"path"

	bkllb "github.com/moby/buildkit/client/llb"
	"github.com/opencontainers/go-digest"
)

// ModelImage is an image of nothing but the layers of a model, which were made
// once: it lies in a registry, or in a content store of the client.
type ModelImage struct {
	Name      string        // for people: "Wan-AI/Wan2.2-Animate-14B"
	Reference string        // "registry.example/model@sha256:…"; "" for one in a store
	Store     string        // [StoreID] or [ModelStoreID], where Reference is empty
	Manifest  digest.Digest // of the image in the store
	Layers    []Layer       // in their order, with names, sizes and paths alone
}

// Load returns the model's files. Like [Packed], they aren't moved for a Merge.
func (m ModelImage) Load() State {
	name := bkllb.WithCustomName("load " + m.Name)
	if m.Reference != "" {
		return bkllb.Image(m.Reference, name)
	}
	return bkllb.OCILayout("lamina/model@"+m.Manifest.String(), bkllb.OCIStore("", m.Store), name)
}

// ModelLayer is what the engine makes of fetched files: byte for byte the layer
// that the client makes of the same. Each file lies at the root of its state;
// empty are the paths of files without content, which are not fetched.
func ModelLayer(name string, files []File, empty []string) State {
	epoch := bkllb.WithCreatedTime(EpochTime())
	action := bkllb.Mkdir("/", 0o755, bkllb.WithParents(true), epoch)
	for _, p := range empty {
		action = action.Mkdir(path.Dir(p), 0o755, bkllb.WithParents(true), epoch).Mkfile(p, 0o644, nil, epoch)
	}
	made := bkllb.Scratch().File(copies(action, files), bkllb.WithCustomName(name))
	if len(files)+len(empty) == 1 {
		return made // large as it may be, it needs no second copy
	}
	// Each file that comes into a folder gives it the time of the build.
	return Clean(name+": one layer", made, "/", "/")
}
