package hub_test

import (
	"context"
	"io"
	"slices"
	"sync"
	"testing"
	"time"

	"lamina.build/internal/hub"
	"lamina.build/internal/test/testworld"
)

const (
	repository = "Org/Model-1.0"
	token      = "hf_geheim"
	other      = "hf_fremd"
)

// pauses records a client's waits, without waiting.
type pauses struct {
	mu    sync.Mutex
	slept []time.Duration
}

func (p *pauses) sleep(ctx context.Context, d time.Duration) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.slept = append(p.slept, d)
	return ctx.Err()
}

func (p *pauses) all() []time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.slept)
}

func client(t *testing.T, o hub.Options) *hub.Client {
	t.Helper()
	if o.HTTP.Sleep == nil {
		o.HTTP.Sleep = new(pauses).sleep
	}
	c, err := hub.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// setup returns a hub with one repository, a client of it, and the files.
func setup(t *testing.T, o testworld.HubOptions, files map[string]testworld.HubFile) (*testworld.Hub, *hub.Client, map[string]hub.File) {
	t.Helper()
	h := testworld.New(t).Hub(o)
	commit := h.Repo(repository, testworld.HubRepoOptions{}).Commit(files)
	c := client(t, hub.Options{Endpoint: h.Endpoint, Token: hub.Token(o.Token)})
	tree, err := c.Tree(t.Context(), repository, commit)
	if err != nil {
		t.Fatal(err)
	}
	byPath := map[string]hub.File{}
	for _, f := range tree {
		byPath[f.Path] = f
	}
	h.Forget()
	return h, c, byPath
}

// read reads a part of a file, with retries.
func read(t *testing.T, c *hub.Client, f hub.File, offset, length int64) (string, error) {
	t.Helper()
	return all(t, func() (io.ReadCloser, error) { return c.Open(t.Context(), f.ModelFile, offset, length) })
}

// readOnce reads it in one request.
func readOnce(t *testing.T, c *hub.Client, f hub.File, offset, length int64) (string, error) {
	t.Helper()
	return all(t, func() (io.ReadCloser, error) { return hub.OpenOnce(c, t.Context(), f.ModelFile, offset, length) })
}

func all(t *testing.T, open func() (io.ReadCloser, error)) (string, error) {
	t.Helper()
	body, err := open()
	if err != nil {
		return "", err
	}
	data, err := io.ReadAll(body)
	if closeErr := body.Close(); closeErr != nil {
		t.Error(closeErr)
	}
	return string(data), err
}

func part(t *testing.T, c testworld.Content, offset, length int64) string {
	t.Helper()
	data, err := io.ReadAll(io.NewSectionReader(c, offset, length))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
