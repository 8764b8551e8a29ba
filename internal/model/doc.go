// Package model brings the models of a spec that lie elsewhere into a lock, and
// from a lock into an image.
//
// A model is locked once: its commit, and every file by size and sha256. After
// that its layers are one thing, whoever makes them: pushed to a registry,
// pulled into a layout, or made by the engine. An image takes them from where
// they are, in this order.
package model

import (
	"context"
	"io"

	"lamina.build/internal/hub"
	"lamina.build/internal/weights"
	"lamina.build/lock"
)

// File is where a file of a locked model is to be had.
func File(c *hub.Client, m lock.Model, f lock.ModelFile) hub.File {
	url := f.URL
	if repository, _, ok := m.Repository(); ok {
		url = c.URL(repository, m.Commit, f.Path)
	}
	return hub.File{Path: f.Path, URL: url, Size: f.Size, SHA256: f.SHA256}
}

// Source reads the files of a model, with patience.
func Source(c *hub.Client, m lock.Model) weights.Source { return source{c.Steady(), c, m} }

type source struct {
	steady hub.Source
	client *hub.Client
	model  lock.Model
}

func (s source) Open(ctx context.Context, f lock.ModelFile, offset, length int64) (io.ReadCloser, error) {
	return s.steady.Open(ctx, File(s.client, s.model, f), offset, length)
}
