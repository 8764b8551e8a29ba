// Package solve submits a drawn image to a buildkitd and exports what it
// makes.
package solve

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/platforms"
	"github.com/moby/buildkit/client"
	bkllb "github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/exporter/containerimage/exptypes"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/session"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/cache"
	"lamina.build/llb"
	"lamina.build/stages"
)

// Compatibility pins how BuildKit assembles images, so that a newer engine
// makes the same manifest: the version of BuildKit v0.31 and later.
const Compatibility = 30

// Request is one image to be solved.
type Request struct {
	Image    stages.Image
	Store    content.Store // holds the packed layers
	Models   content.Store // holds models; nil where the image has none of them
	Exports  []client.ExportEntry
	Cache    cache.Remote
	NoCache  bool
	Session  []session.Attachable // registry logins
	Progress func(context.Context, chan *client.SolveStatus) error
}

// Result is what the engine made.
type Result struct {
	Descriptor ocispec.Descriptor // of the manifest, or of the index around it
	Config     digest.Digest      // of the image config
	Response   map[string]string  // as BuildKit gave it
	LeftOut    []string           // what was optional and could not be built
	Pruned     []Pruned           // what wheels were installed without, of those that were installed now
}

// Run solves and exports the image. Of a build that failed it returns an
// [Error] that says which step it was and what that printed.
func Run(ctx context.Context, c *client.Client, r Request) (Result, error) {
	def, err := llb.Marshal(ctx, r.Image.State, r.Image.Config.Platform)
	if err != nil {
		return Result{}, err
	}
	if r.NoCache {
		ignoreCache(def)
	}
	probes, err := r.probes(ctx)
	if err != nil {
		return Result{}, err
	}
	var leftOut []string
	options := r.options()
	build := r.build(def, options.CacheImports)
	s := submission{
		client: c, def: def, options: options, progress: r.Progress,
		build: func(ctx context.Context, gw gateway.Client) (*gateway.Result, error) {
			res, buildErr := build(ctx, gw)
			if buildErr == nil {
				leftOut, buildErr = look(ctx, gw, probes)
			}
			return res, buildErr
		},
	}
	response, seen, err := s.run(ctx)
	if err != nil {
		return Result{}, passing(err)
	}
	made, err := result(response.ExporterResponse)
	made.LeftOut, made.Pruned = leftOut, seen.pruned()
	return made, err
}

func (r Request) options() client.SolveOpt {
	return client.SolveOpt{
		Exports:              r.Exports,
		OCIStores:            llb.Stores(r.Store, r.Models),
		CacheImports:         entries(r.Cache.Imports),
		CacheExports:         entries(r.Cache.Exports),
		Session:              r.Session,
		CompatibilityVersion: Compatibility,
		// The client writes its imports into this map, also where it is nil.
		FrontendAttrs: map[string]string{},
	}
}

// build solves the graph through the gateway, which lets us name the platform
// and the config of the result ourselves: a plain solve keys them by the
// engine's own platform.
//
// imports are the client's own entries: it has written the digest of a local
// cache into them by the time this runs.
func (r Request) build(def *bkllb.Definition, imports []client.CacheOptionsEntry) gateway.BuildFunc {
	return func(ctx context.Context, c gateway.Client) (*gateway.Result, error) {
		res, err := c.Solve(ctx, gateway.SolveRequest{
			Definition:   def.ToPB(),
			CacheImports: gatewayEntries(imports),
		})
		if err != nil {
			return nil, err
		}
		return res, describe(res, r.Image.Config)
	}
}

func describe(res *gateway.Result, config ocispec.Image) error {
	platform := platforms.Normalize(config.Platform)
	id := platforms.Format(platform)
	list := exptypes.Platforms{Platforms: []exptypes.Platform{{ID: id, Platform: platform}}}
	for key, value := range map[string]any{
		exptypes.ExporterPlatformsKey:   list,
		exptypes.ExporterImageConfigKey: config,
	} {
		text, err := json.Marshal(value)
		if err != nil {
			return fmt.Errorf("encoding %s: %w", key, err)
		}
		res.AddMeta(key, text)
	}
	return nil
}

// ignoreCache makes every vertex run anew.
func ignoreCache(def *bkllb.Definition) {
	for d, meta := range def.Metadata {
		meta.IgnoreCache = true
		def.Metadata[d] = meta
	}
}

func entries(list []cache.Entry) []client.CacheOptionsEntry {
	out := make([]client.CacheOptionsEntry, 0, len(list))
	for _, e := range list {
		out = append(out, client.CacheOptionsEntry{Type: e.Type, Attrs: maps.Clone(e.Attrs)})
	}
	return out
}

func gatewayEntries(list []client.CacheOptionsEntry) []gateway.CacheOptionsEntry {
	out := make([]gateway.CacheOptionsEntry, 0, len(list))
	for _, e := range list {
		out = append(out, gateway.CacheOptionsEntry(e))
	}
	return out
}

func result(response map[string]string) (Result, error) {
	r := Result{Response: response, Config: digest.Digest(response[exptypes.ExporterImageConfigDigestKey])}
	encoded := response[exptypes.ExporterImageDescriptorKey]
	if encoded == "" {
		return r, nil // a local or a cache-only export has no image
	}
	text, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return Result{}, fmt.Errorf("reading the engine's answer: %w", err)
	}
	return r, json.Unmarshal(text, &r.Descriptor)
}
