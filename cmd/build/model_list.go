package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"lamina.build/internal/fault"
	"lamina.build/internal/layout"
	"lamina.build/internal/report"
	"lamina.build/internal/weights"
	"lamina.build/lock"
)

// listedModel is a model as "build model ls --json" prints it.
type listedModel struct {
	Name      string        `json:"name"`
	From      string        `json:"from"`
	Commit    string        `json:"commit,omitempty"`
	Path      string        `json:"path"`
	Digest    string        `json:"digest"`
	Size      int64         `json:"size"` // bytes of all files
	Published string        `json:"published,omitempty"`
	Layout    string        `json:"layout,omitempty"` // folder of the layout that has it whole
	Layers    []listedLayer `json:"layers"`
}

type listedLayer struct {
	Name  string       `json:"name"`
	Size  int64        `json:"size"` // of the tar, bytes
	Files []listedFile `json:"files"`
}

type listedFile struct {
	Path   string `json:"path"` // in the image
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

func listModels(ctx context.Context, a *app, o modelOptions, args []string) (err error) {
	if len(args) > 1 {
		return fault.New(fault.Usage, errors.New("model ls takes one folder at most: that of a layout"))
	}
	locked, err := a.openLocked(o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, locked.Close()) }()
	store, err := a.findModels(ctx, strings.Join(args, ""))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	list, err := locked.list(ctx, store, o.name)
	if err != nil {
		return err
	}
	if !o.json {
		return a.ui.result(modelTable(list, o.files))
	}
	data, err := json.MarshalIndent(list, "", "  ")
	if err != nil {
		return err
	}
	return a.ui.result(string(data) + "\n")
}

// list looks at all models, or at the one of a name.
func (m *lockedModels) list(ctx context.Context, store *layout.Layout, name string) ([]listedModel, error) {
	first, end := 0, len(m.lock.Models)
	if name != "" {
		i, err := m.pick(name)
		if err != nil {
			return nil, err
		}
		first, end = i, i+1
	}
	list := make([]listedModel, 0, end-first)
	for i := first; i < end; i++ {
		one, err := look(ctx, store, m.lock.Models[i])
		if err != nil {
			return nil, err
		}
		one.Name = m.names[i]
		list = append(list, one)
	}
	return list, nil
}

// look finds out where a model is.
func look(ctx context.Context, store *layout.Layout, m lock.Model) (listedModel, error) {
	work, err := divide(m)
	if err != nil {
		return listedModel{}, err
	}
	listed := listedModel{
		From: m.From, Commit: m.Commit, Path: m.Path, Digest: m.Digest,
		Size: m.Size(), Published: m.Published, Layers: listLayers(work.Layers),
	}
	_, ok, err := work.Find(ctx, store)
	if ok {
		listed.Layout = store.Dir()
	}
	return listed, err
}

func listLayers(layers []weights.Layer) []listedLayer {
	list := make([]listedLayer, len(layers))
	for i, l := range layers {
		list[i] = listedLayer{Name: l.Name, Size: l.Size}
		for _, target := range slices.Sorted(maps.Keys(l.Files)) {
			f := l.Files[target]
			list[i].Files = append(list[i].Files, listedFile{Path: "/" + target, Size: f.Size, SHA256: f.SHA256})
		}
	}
	return list
}

func modelTable(models []listedModel, files bool) string {
	if len(models) == 0 {
		return "no model is locked\n"
	}
	var b strings.Builder
	for _, m := range models {
		fmt.Fprintf(&b, "%s  %s in %s\n  from       %s\n", m.Name, report.Size(m.Size), report.Count(len(m.Layers), "layer"), m.From)
		if m.Commit != "" {
			fmt.Fprintf(&b, "  commit     %s\n", m.Commit)
		}
		fmt.Fprintf(&b, "  in image   %s\n  published  %s\n  layout     %s\n", m.Path, orNowhere(m.Published), orNowhere(m.Layout))
		for _, l := range m.Layers {
			fmt.Fprintf(&b, "  %10s  %s\n", report.Size(l.Size), l.Name)
			for _, f := range l.Files {
				if files {
					fmt.Fprintf(&b, "    %10s  %s  %s\n", report.Size(f.Size), f.SHA256[:12], f.Path)
				}
			}
		}
	}
	return b.String()
}

func orNowhere(place string) string {
	if place == "" {
		return "nowhere"
	}
	return place
}
