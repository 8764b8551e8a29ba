package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/internal/fault"
	"lamina.build/internal/hub"
	"lamina.build/internal/layout"
	"lamina.build/internal/model"
	"lamina.build/internal/weights"
	"lamina.build/lock"
)

// modelsDir is the folder of the cache folder with the models that were pulled
// or made, an OCI layout with a tag for each.
const modelsDir = "models"

// hub is the client for models, with what the environment says.
func (a *app) hub() (*hub.Client, error) {
	return hub.New(hub.Options{
		Endpoint: a.env("HF_ENDPOINT"), Token: a.hubToken(),
		Note: func(line string) { a.ui.note("%s", line) },
	})
}

// hubToken is the secret of the environment; one that was read from a file ends in
// a newline, which no header can have.
func (a *app) hubToken() hub.Token { return hub.Token(strings.TrimSpace(a.env("HF_TOKEN"))) }

// lockModels finds the files of all models that have to be fetched.
func (a *app) lockModels(ctx context.Context, requests []lock.ModelRequest, before lock.Lock) ([]lock.Model, error) {
	if len(requests) == 0 {
		return nil, nil
	}
	c, err := a.hub()
	if err != nil {
		return nil, err
	}
	return model.Lock(ctx, model.LockOptions{
		Client: c, Requests: requests, Before: before,
		Note: func(line string) { a.ui.note("%s", line) },
	})
}

// divide is a locked model with its layers.
func divide(m lock.Model) (weights.Job, error) {
	layers, err := weights.Layers(model.Name(m.ModelRequest), m, weights.MaxLayers)
	return weights.Job{Model: m, Layers: layers}, err
}

// findModels opens the layout of models, which has to be there if somebody names it.
func (a *app) findModels(ctx context.Context, dir string) (*layout.Layout, error) {
	if dir != "" {
		if _, err := os.Stat(filepath.Join(dir, ocispec.ImageIndexFile)); err != nil { //nolint:gosec // the user names the path
			err := fault.New(fault.Usage, fmt.Errorf("folder %q holds no models", dir))
			return nil, fault.WithHint(err, fmt.Sprintf("\"build model pull %s\" brings them there", dir))
		}
	}
	return a.openModels(ctx, dir)
}

func (a *app) openModels(ctx context.Context, dir string) (*layout.Layout, error) {
	if dir == "" {
		cache, err := a.cacheDir()
		if err != nil {
			return nil, err
		}
		dir = filepath.Join(cache, modelsDir)
	}
	return layout.Open(ctx, dir)
}

// modelNames are what people call the models of a lock: by the name that the spec
// gives one, else by where it comes from.
func (p *project) modelNames(l lock.Lock) ([]string, error) {
	names := make([]string, len(l.Models))
	for i, m := range l.Models {
		names[i] = model.Name(m.ModelRequest)
	}
	for _, variant := range p.file.Variants() {
		s, err := p.file.Variant(variant)
		if err != nil {
			return nil, err
		}
		for _, wanted := range s.Models {
			i := slices.IndexFunc(l.Models, func(m lock.Model) bool { return m.Compare(wanted.Request()) == 0 })
			if i >= 0 && wanted.Name != "" {
				names[i] = wanted.Name
			}
		}
	}
	return names, nil
}
