package readback

import (
	"encoding/json"
	"fmt"

	cacheconfig "github.com/moby/buildkit/cache/remotecache/v1/types"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/internal/layout"
	"lamina.build/internal/referrer"
	"lamina.build/stages"
)

// exported is an image with its manifest and config as written.
type exported struct {
	layout.Image

	manifest, config []byte
	documents        func(layout.Image) ([]referrer.Attachment, error) // nil for none
}

// join adds the layers of the parts that engines don't export, each in its position, and
// returns them. The result equals what an engine writes for the whole image, byte for byte.
func (x *exported) join(whole stages.Image, plain string) (added []ocispec.Descriptor, err error) {
	layers, diffs := x.Manifest.Layers, x.Config.RootFS.DiffIDs
	x.Manifest.Layers, x.Config.RootFS.DiffIDs, x.Config.History = nil, nil, whole.Config.History
	push := func(d ocispec.Descriptor, diffID digest.Digest) {
		x.Manifest.Layers = append(x.Manifest.Layers, d)
		x.Config.RootFS.DiffIDs = append(x.Config.RootFS.DiffIDs, diffID)
	}
	var places []int // of the engine's layers
	for _, p := range whole.Parts {
		for _, l := range p.Layers {
			if p.Added {
				d := ocispec.Descriptor{MediaType: plain, Digest: l.Stored.Digest, Size: l.Stored.Size}
				added = append(added, d)
				push(d, l.DiffID)
				continue
			}
			n := len(places)
			places = append(places, len(x.Manifest.Layers))
			push(layers[n], diffs[n])
		}
	}
	if x.config, err = x.patch(places); err != nil {
		return nil, fmt.Errorf("adding layers to the config: %w", err)
	}
	x.Manifest.Config.Digest, x.Manifest.Config.Size = digest.FromBytes(x.config), int64(len(x.config))
	if x.manifest, err = json.MarshalIndent(x.Manifest, "", "  "); err != nil {
		return nil, err
	}
	x.Desc.Digest, x.Desc.Size = digest.FromBytes(x.manifest), int64(len(x.manifest))
	return added, nil
}

// inlineCache is the config key under which BuildKit stores an inline cache.
const inlineCache = "moby.buildkit.cache.v0"

// patch writes the config as BuildKit does, which keeps unknown keys.
func (x *exported) patch(places []int) ([]byte, error) {
	all := map[string]json.RawMessage{}
	if err := json.Unmarshal(x.config, &all); err != nil {
		return nil, err
	}
	changed := map[string]any{"rootfs": x.Config.RootFS, "history": x.Config.History}
	if cached, ok := all[inlineCache]; ok {
		moved, err := moveCache(cached, places)
		if err != nil {
			return nil, err
		}
		changed[inlineCache] = moved
	}
	for key, value := range changed {
		var err error
		if all[key], err = json.Marshal(value); err != nil {
			return nil, err
		}
	}
	return json.Marshal(all)
}

// moveCache renumbers the layers in the records of an inline cache. A result that implied all
// layers below it now names each of them.
func moveCache(cached json.RawMessage, places []int) ([]byte, error) {
	var text []byte
	var records []cacheconfig.CacheRecord
	if err := json.Unmarshal(cached, &text); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, &records); err != nil {
		return nil, err
	}
	for i := range records {
		r := &records[i]
		for _, chain := range r.ChainedResults {
			for k, n := range chain.LayerIndexes {
				if n < 0 || n >= len(places) {
					return nil, fmt.Errorf("the inline cache names layer %d of %d", n, len(places))
				}
				chain.LayerIndexes[k] = places[n]
			}
		}
		results := r.Results
		r.Results = nil
		for _, one := range results {
			switch n := one.LayerIndex; {
			case n < 0 || n >= len(places):
				return nil, fmt.Errorf("the inline cache names layer %d of %d", n, len(places))
			case places[n] == n:
				r.Results = append(r.Results, one)
			default:
				r.ChainedResults = append(r.ChainedResults, cacheconfig.ChainedResult{LayerIndexes: places[: n+1 : n+1], CreatedAt: one.CreatedAt})
			}
		}
	}
	return json.Marshal(records)
}
