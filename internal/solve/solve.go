// Package solve submits a drawn image to a buildkitd and explains what fails. Package readback
// handles what is exported.
package solve

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/platforms"
	"github.com/moby/buildkit/client"
	bkllb "github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/exporter/containerimage/exptypes"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/solver/pb"
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/cache"
	"lamina.build/llb"
	"lamina.build/stages"
)

// Compatibility pins how BuildKit assembles images, so that a newer engine makes the same
// manifest: the version of BuildKit v0.31 and later.
const Compatibility = 30

// Request is an image to solve.
type Request struct {
	Image    stages.Image
	Store    content.Store // holds the packed layers
	Models   content.Store // holds models; nil if the image needs none of them
	Sources  Sources
	Exports  []client.ExportEntry
	Cache    cache.Remote
	NoCache  bool
	Told     string               // a directory for notes of steps, which an engine doesn't repeat on a cache hit; "" for none
	Session  []session.Attachable // registry logins
	Progress func(context.Context, chan *client.SolveStatus) error
}

// Result is what the engine made.
type Result struct {
	Descriptor ocispec.Descriptor // of the manifest, or of the index around it
	Config     digest.Digest      // of the image config
	LeftOut    []string           // optional parts that could not be built
	Pruned     []Pruned           // files left out of the installed wheels
	Removed    []Removed          // files that packages made for one machine
	Notes      []string           // findings of checks that are no problem
}

// Run solves and exports the image. If the build fails, it returns an [Error] with the step
// that failed and its output.
func Run(ctx context.Context, c *client.Client, r Request) (Result, error) {
	def, err := llb.Marshal(ctx, r.Image.State, r.Image.Config.Platform)
	if err != nil {
		return Result{}, err
	}
	devices, err := onDevices(def, r.NoCache)
	if err != nil {
		return Result{}, err
	}
	probes, err := r.probes(ctx)
	if err != nil {
		return Result{}, err
	}
	graphs := []*bkllb.Definition{def}
	for _, p := range probes {
		graphs = append(graphs, p.def)
	}
	options := r.options(devices)
	if options.SourcePolicy, err = r.Sources.apply(ctx, r.Image.Config.Platform, graphs...); err != nil {
		return Result{}, err
	}
	var leftOut []string
	s := submission{client: c, sources: &r.Sources, def: def, options: options, progress: r.Progress}
	// The gateway lets us set the platform and the config of the result: a plain solve keys
	// them by the engine's own platform.
	s.build = func(ctx context.Context, gw gateway.Client) (*gateway.Result, error) {
		res, buildErr := gw.Solve(ctx, gateway.SolveRequest{
			Definition:   def.ToPB(),
			CacheImports: imports(s.options.CacheImports, r.Cache.Imports),
		})
		if buildErr == nil {
			buildErr = describe(res, r.Image.Config)
		}
		if buildErr == nil {
			leftOut, buildErr = look(ctx, gw, probes)
		}
		return res, buildErr
	}
	response, seen, err := s.run(ctx)
	if err != nil {
		return Result{}, passing(err)
	}
	made, err := result(response.ExporterResponse)
	told := seen.told(def, r.Told)
	made.LeftOut, made.Pruned, made.Removed, made.Notes = leftOut, pruned(told), removed(told), notes(told)
	return made, err
}

func (r Request) options(devices []string) client.SolveOpt {
	return client.SolveOpt{
		Exports:              dated(r.Exports, r.Image.Config.Created),
		OCIStores:            r.Sources.stores(r.Store, r.Models),
		CacheImports:         entries(locals(r.Cache.Imports)),
		CacheExports:         entries(r.Cache.Exports),
		Session:              r.Session,
		AllowedEntitlements:  devices,
		CompatibilityVersion: Compatibility,
		// The client writes its imports into this map, even if it is nil.
		FrontendAttrs: map[string]string{},
	}
}

// dated returns the exports with the date of the image. Otherwise their index has a date
// from the engine's clock. Nothing in an image is newer, so this changes nothing else.
func dated(exports []client.ExportEntry, created *time.Time) []client.ExportEntry {
	date := llb.EpochTime()
	if created != nil && created.After(date) {
		date = *created
	}
	list := slices.Clone(exports)
	for i, e := range list {
		if e.Type == client.ExporterOCI || e.Type == client.ExporterDocker {
			list[i].Attrs = maps.Clone(e.Attrs)
			list[i].Attrs[string(exptypes.OptKeySourceDateEpoch)] = strconv.FormatInt(date.Unix(), 10)
		}
	}
	return list
}

func describe(res *gateway.Result, config dockerspec.DockerOCIImage) error {
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

// onDevices disables the cache for steps that run on devices, since no cache key says which
// device, or for every step, and returns the entitlements to the devices: without one, an
// engine grants nobody the devices that nvidia-ctk describes.
func onDevices(def *bkllb.Definition, all bool) ([]string, error) {
	var entitlements []string
	for _, data := range def.Def {
		var op pb.Op
		if err := op.UnmarshalVT(data); err != nil {
			return nil, fmt.Errorf("reading the graph: %w", err)
		}
		devices := op.GetExec().GetCdiDevices()
		for _, device := range devices {
			name := "device=" + device.Name
			if !slices.Contains(entitlements, name) {
				entitlements = append(entitlements, name)
			}
		}
		if id := digest.FromBytes(data); all || len(devices) > 0 {
			meta := def.Metadata[id]
			meta.IgnoreCache = true
			def.Metadata[id] = meta
		}
	}
	return entitlements, nil
}

func entries(list []cache.Entry) []client.CacheOptionsEntry {
	out := make([]client.CacheOptionsEntry, 0, len(list))
	for _, e := range list {
		out = append(out, client.CacheOptionsEntry{Type: e.Type, Attrs: maps.Clone(e.Attrs)})
	}
	return out
}

// locals returns the caches of this machine. Only those are the client's: it would write all
// that it gets, with their logins, into what an engine records of each build.
func locals(list []cache.Entry) []cache.Entry {
	return slices.DeleteFunc(slices.Clone(list), func(e cache.Entry) bool { return e.Type != "local" })
}

// imports returns the caches to import, the local ones as the client has completed them with
// their digests.
func imports(local []client.CacheOptionsEntry, all []cache.Entry) []gateway.CacheOptionsEntry {
	others := slices.DeleteFunc(slices.Clone(all), func(e cache.Entry) bool { return e.Type == "local" })
	out := make([]gateway.CacheOptionsEntry, 0, len(all))
	for _, e := range slices.Concat(local, entries(others)) {
		out = append(out, gateway.CacheOptionsEntry(e))
	}
	return out
}

func result(response map[string]string) (Result, error) {
	r := Result{Config: digest.Digest(response[exptypes.ExporterImageConfigDigestKey])}
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

// probe is a layer to check once the image is made.
type probe struct {
	name string
	def  *bkllb.Definition
}

func (r Request) probes(ctx context.Context) ([]probe, error) {
	var list []probe
	for _, p := range r.Image.Parts {
		if !p.Optional {
			continue
		}
		def, err := llb.Marshal(ctx, p.State, r.Image.Config.Platform)
		if err != nil {
			return nil, err
		}
		list = append(list, probe{p.Layers[0].What, def})
	}
	return list, nil
}

// look returns the names of the empty layers. They were made with the image, so the engine
// only has to open them.
func look(ctx context.Context, c gateway.Client, probes []probe) ([]string, error) {
	var empty []string
	for _, p := range probes {
		result, err := c.Solve(ctx, gateway.SolveRequest{Definition: p.def.ToPB()})
		if err != nil {
			return nil, err
		}
		files, err := result.Ref.ReadDir(ctx, gateway.ReadDirRequest{Path: "/"})
		if err != nil {
			return nil, fmt.Errorf("reading the layer of %s: %w", p.name, err)
		}
		if len(files) == 0 {
			empty = append(empty, p.name)
		}
	}
	return empty, nil
}
