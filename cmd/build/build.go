package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"lamina.build/internal/engine"
	"lamina.build/internal/layout"
	"lamina.build/internal/output"
	"lamina.build/internal/report"
	"lamina.build/internal/solve"
)

// build has an engine make the image, keeps what came out, and reports it.
// What can't be written to and what can't be reached is found out before the
// trees are packed.
func (j job) build(ctx context.Context) (err error) {
	if _, err = j.app.display(j.progress); err != nil {
		return err
	}
	outputs, err := places(j.outputs, j.spec.Name)
	if err != nil {
		return err
	}
	weights, err := j.fetchNeed(ctx)
	if err != nil {
		return err
	}
	e, err := j.app.openEngine(ctx, j.addr, engine.Need{Platform: j.spec.Platform, Disk: diskNeed(j.lock) + weights})
	if err != nil {
		return err
	}
	x, err := openExports(ctx, outputs, j.hasWeights(), j.app.ui.stdout)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, x.close()) }()
	result, err := j.solve(ctx, e, x)
	if err != nil {
		return err
	}
	if err := x.commit(); err != nil {
		return fmt.Errorf("putting the output in its place: %w", err)
	}
	r := report.Image{
		Name: j.spec.Name, Variant: j.spec.Variant, Platform: j.spec.Platform,
		Descriptor: result.Descriptor, Config: result.Config,
		Engine: "BuildKit " + e.Version, Lock: lockDigest(j.lock),
		LeftOut: j.leftOut(result.LeftOut), Pruned: pruned(result.Pruned),
	}
	if err := keep(ctx, x, &r); err != nil {
		return err
	}
	r.Took = time.Since(j.start)
	return j.tell(x, r)
}

// keep tags the image in its layout, sweeps what no tag needs any more, and
// reads back what is there now, or in an archive.
func keep(ctx context.Context, x *exports, r *report.Image) error {
	for _, o := range x.outputs {
		saved := report.Saved{Output: o}
		if o.Layout() {
			saved.Tag = r.Variant
		}
		r.Saved = append(r.Saved, saved)
	}
	if x.layout == nil {
		return readArchives(ctx, x.outputs, r)
	}
	if err := x.layout.Tag(ctx, r.Variant, r.Descriptor); err != nil {
		return err
	}
	if _, err := x.layout.Sweep(ctx); err != nil {
		return err
	}
	image, err := x.layout.Read(ctx, r.Variant)
	if err != nil {
		return err
	}
	tellLayers(r, image)
	return nil
}

// readArchives looks for the image of the report in the archives. It may be in
// none: one that is pushed beside them can have another compression.
func readArchives(ctx context.Context, outputs []output.Output, r *report.Image) error {
	for _, o := range outputs {
		if !o.Tar || o.ToStdout() {
			continue
		}
		image, ok, err := layout.ReadArchive(ctx, o.Dest, r.Descriptor)
		if err != nil {
			return err
		}
		if ok {
			tellLayers(r, image)
			return nil
		}
	}
	return nil
}

func tellLayers(r *report.Image, image layout.Image) {
	r.Manifest, r.Config = image.Desc.Digest, image.Manifest.Config.Digest
	r.Layers = report.Layers(image.Manifest, image.Config)
}

// leftOut tells of everything optional that the image lacks: what its lock has
// no version of, and what could not be built.
func (j job) leftOut(unbuilt []string) []string {
	omitted := j.lock.OmittedIn(j.spec.Variant)
	list := make([]string, 0, len(omitted)+len(unbuilt))
	for _, o := range omitted {
		list = append(list, fmt.Sprintf("%s: %s", o.Requirement, o.Reason))
	}
	for _, name := range unbuilt {
		list = append(list, name+": it could not be built")
	}
	return list
}

func pruned(list []solve.Pruned) []report.Pruned {
	out := make([]report.Pruned, len(list))
	for i, p := range list {
		out[i] = report.Pruned(p)
	}
	return out
}
