package weights_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"

	"lamina.build/internal/fetch"
	"lamina.build/internal/registry"
	"lamina.build/internal/test/testworld"
	"lamina.build/internal/weights"
	"lamina.build/lock"
)

const (
	mib   = 1 << 20
	chunk = mib / 8 // of the jobs here
)

func must(t testing.TB, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// hub is a source whose files are a pattern that needs no memory.
type hub struct {
	mu      sync.Mutex
	corrupt map[string]bool // files with wrong bytes
	cut     map[string]int64
	opened  map[string]int
	read    int64
	pause   time.Duration
}

// errCut is the error of a source that fails for good.
var errCut = errors.New("the hub hung up")

// pattern returns the repeated content of a file: no two files are alike.
func pattern(path string) []byte {
	seed := sha256.Sum256([]byte(path))
	return bytes.Repeat(seed[:], 1<<10)[:32<<10-1]
}

// Open reads a range of a file.
func (h *hub) Open(ctx context.Context, f lock.ModelFile, offset, length int64) (io.ReadCloser, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.opened == nil {
		h.opened = map[string]int{}
	}
	h.opened[f.Path]++
	h.read += length
	name := f.Path
	if h.corrupt[f.Path] {
		name += " corrupted"
	}
	r := &patterned{data: pattern(name), at: offset, left: length}
	if at, ok := h.cut[f.Path]; ok && offset+length > at {
		r.left, r.end = max(at-offset, 0), errCut
	}
	if h.pause > 0 {
		time.Sleep(h.pause)
	}
	return r, ctx.Err()
}

func (h *hub) bytes() int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.read
}

type patterned struct {
	data     []byte
	at, left int64
	end      error
}

func (p *patterned) Read(b []byte) (n int, err error) {
	for n < len(b) && p.left > 0 {
		from := p.data[p.at%int64(len(p.data)):]
		m := copy(b[n:], from[:min(int64(len(from)), p.left)])
		n, p.at, p.left = n+m, p.at+int64(m), p.left-int64(m)
	}
	if n > 0 || len(b) == 0 {
		return n, nil
	}
	if p.end != nil {
		return 0, p.end
	}
	return 0, io.EOF
}

func (p *patterned) Close() error { return nil }

// model returns a lock of files with such contents: "path size".
func model(t testing.TB, files ...string) lock.Model {
	t.Helper()
	m := lock.Model{
		ModelRequest: lock.ModelRequest{From: "hf://acme/tiny@main", Path: "/models/tiny"},
		Commit:       strings.Repeat("c", 40), Plan: lock.ModelPlan,
	}
	for _, file := range files {
		var f lock.ModelFile
		_, err := fmt.Sscanf(file, "%s %d", &f.Path, &f.Size)
		must(t, err)
		h := sha256.New()
		_, err = io.Copy(h, &patterned{data: pattern(f.Path), left: f.Size})
		must(t, err)
		f.SHA256 = hex.EncodeToString(h.Sum(nil))
		m.Files = append(m.Files, f)
	}
	slices.SortFunc(m.Files, func(a, b lock.ModelFile) int { return strings.Compare(a.Path, b.Path) })
	m.Digest = weights.Digest(m).String()
	return m
}

// job returns a job with small chunks, so that there are many, and with the layers that are published.
func job(t testing.TB, m lock.Model, source weights.Source) weights.Job {
	t.Helper()
	layers, err := weights.Layers("tiny", m, weights.MaxLayers)
	must(t, err)
	return weights.Job{Model: m, Layers: layers, Source: source, Chunk: chunk, Buffers: 6}
}

// scaled returns a job with a layer for each file of a megabyte or more, for which the plan
// requires 64, and one for all smaller files.
func scaled(t testing.TB, m lock.Model, source weights.Source) weights.Job {
	t.Helper()
	var scaled []weights.Layer
	part, small := m, m
	small.Files = nil
	for i, f := range m.Files {
		if f.Size < mib {
			small.Files = append(small.Files, f)
			continue
		}
		part.Files = m.Files[i : i+1]
		scaled = append(scaled, job(t, part, source).Layers...)
	}
	if len(small.Files) > 0 {
		scaled = append(scaled, job(t, small, source).Layers...)
	}
	j := job(t, m, source)
	j.Layers = scaled
	return j
}

func size(j weights.Job) (bytes int64) {
	for _, l := range j.Layers {
		bytes += l.Size
	}
	return bytes
}

type anonymous struct{}

func (anonymous) Resolve(authn.Resource) (authn.Authenticator, error) { return authn.Anonymous, nil }

// basic is one login for everything.
type basic struct{ user, password string }

func (b basic) Resolve(authn.Resource) (authn.Authenticator, error) {
	return &authn.Basic{Username: b.user, Password: b.password}, nil
}

// hasty has the short waits of tests.
func hasty() fetch.Options {
	return fetch.Options{Attempts: 4, Wait: time.Millisecond, MaxRetryWait: 4 * time.Second, Stall: 5 * time.Second}
}

func repository(t testing.TB, r *testworld.Registry, name string) *registry.Repository {
	t.Helper()
	repo, err := registry.Open(t.Context(), r.Host+"/"+name, registry.Options{
		Keychain: anonymous{}, Finish: 5 * time.Second, HTTP: hasty(),
	})
	must(t, err)
	return repo
}

// options returns those to push a job to acme/tiny:1, with its own journal.
func options(t testing.TB, r *testworld.Registry, j weights.Job) weights.PushOptions {
	t.Helper()
	return weights.PushOptions{
		Job: j, Repository: repository(t, r, "acme/tiny"), Tag: "1", Journal: t.TempDir(),
	}
}

// history records the events of a progress.
type history struct {
	mu     sync.Mutex
	events []weights.Event
	after  func(weights.Event)
}

func (h *history) note(e weights.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events = append(h.events, e)
	if h.after != nil {
		h.after(e)
	}
}

// last returns the last state of each layer.
func (h *history) last() map[string]weights.State {
	h.mu.Lock()
	defer h.mu.Unlock()
	states := map[string]weights.State{}
	for _, e := range h.events {
		states[e.Name] = e.State
	}
	return states
}
