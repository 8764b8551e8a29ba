package weights

import (
	"context"
	"io"

	"lamina.build/internal/hub"
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

// FromHub reads the files of a model, with patience.
func FromHub(c *hub.Client, m lock.Model) Source { return source{c.Steady(), c, m} }

type source struct {
	steady hub.Source
	client *hub.Client
	model  lock.Model
}

func (s source) Open(ctx context.Context, f lock.ModelFile, offset, length int64) (io.ReadCloser, error) {
	return s.steady.Open(ctx, File(s.client, s.model, f), offset, length)
}
