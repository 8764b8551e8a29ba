package lamina

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"

	"lamina.build/internal/layout"
	"lamina.build/internal/weights"
	"lamina.build/lock"
)

// ListedModel is a model of a lock and its locations.
type ListedModel struct {
	Name      string        `json:"name"`
	From      string        `json:"from"`
	Commit    string        `json:"commit,omitempty"`
	Path      string        `json:"path"`
	Digest    string        `json:"digest"`
	Size      int64         `json:"size"` // bytes of all files
	Published string        `json:"published,omitempty"`
	Layout    string        `json:"layout,omitempty"` // directory of the layout that has all of it
	Layers    []ListedLayer `json:"layers"`
}

// ListedLayer is a layer of a model.
type ListedLayer struct {
	Name  string       `json:"name"`
	Size  int64        `json:"size"` // of the tar, bytes
	Files []ListedFile `json:"files"`
}

// ListedFile is a file of a layer.
type ListedFile struct {
	Path   string `json:"path"` // in the image
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// Models lists the models of the lock, or only the named one, and whether the layout in
// a directory has them; "" is the layout of the options.
func (p *Project) Models(ctx context.Context, name, dir string) (list []ListedModel, err error) {
	locked, err := p.models()
	if err != nil {
		return nil, err
	}
	store, err := p.findModels(ctx, cmp.Or(dir, p.o.Models))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	return locked.list(ctx, store, name)
}

// list looks up all models, or the named one.
func (m lockedModels) list(ctx context.Context, store *layout.Layout, name string) ([]ListedModel, error) {
	first, end := 0, len(m.lock.Models)
	if name != "" {
		i, err := m.pick(name)
		if err != nil {
			return nil, err
		}
		first, end = i, i+1
	}
	list := make([]ListedModel, 0, end-first)
	for i := first; i < end; i++ {
		one, err := lookAtModel(ctx, store, m.lock.Models[i])
		if err != nil {
			return nil, err
		}
		one.Name = m.names[i]
		list = append(list, one)
	}
	return list, nil
}

// lookAtModel finds the locations of a model.
func lookAtModel(ctx context.Context, store *layout.Layout, m lock.Model) (ListedModel, error) {
	work, err := weights.NewJob(m)
	if err != nil {
		return ListedModel{}, err
	}
	listed := ListedModel{
		From: m.From, Commit: m.Commit, Path: m.Path, Digest: m.Digest,
		Size: m.Size(), Published: m.Published, Layers: listLayers(work.Layers),
	}
	_, ok, err := work.Find(ctx, store)
	if ok {
		listed.Layout = store.Dir()
	}
	return listed, err
}

func listLayers(layers []weights.Layer) []ListedLayer {
	list := make([]ListedLayer, len(layers))
	for i, l := range layers {
		list[i] = ListedLayer{Name: l.Name, Size: l.Size}
		for _, target := range slices.Sorted(maps.Keys(l.Files)) {
			f := l.Files[target]
			list[i].Files = append(list[i].Files, ListedFile{Path: "/" + target, Size: f.Size, SHA256: f.SHA256})
		}
	}
	return list
}
