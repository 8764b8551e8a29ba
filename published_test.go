package lamina

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/moby/buildkit/client"
	"github.com/opencontainers/go-digest"

	"lamina.build/internal/engine"
	"lamina.build/internal/failure"
	"lamina.build/internal/registry"
	"lamina.build/internal/test/testworld"
	"lamina.build/internal/weights"
	"lamina.build/lock"
)

// notebook is a Progress that records its notes.
type notebook struct {
	mu    sync.Mutex
	lines []string
}

func (n *notebook) Note(line string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lines = append(n.lines, line)
}

func (n *notebook) Watch(_ context.Context, _ Work, steps chan *client.SolveStatus) error {
	for range steps {
		continue
	}
	return nil
}

// text returns the notes since the last call.
func (n *notebook) text() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	defer func() { n.lines = nil }()
	return strings.Join(n.lines, "\n")
}

// claimed returns a project with a model, and a lock that names its published repository.
func claimed(t *testing.T, line, published string) (*Project, lock.Lock) {
	t.Helper()
	dir := t.TempDir()
	text := "name = \"x\"\n[debian]\npackages = [\"bash\"]\n[[model]]\nfrom = \"hf://org/one@main\"\npath = \"/m\"\n" + line + "\n"
	if err := os.WriteFile(filepath.Join(dir, SpecName), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := Open(dir, Options{CacheDir: t.TempDir(), Progress: &notebook{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	l := lock.Lock{Requirements: p.requirements.Lock, Models: []lock.Model{model("hf://org/one@main", "/m", "x")}}
	work, err := weights.NewJob(l.Models[0])
	if err != nil {
		t.Fatal(err)
	}
	l.Models[0].Digest = weights.Digest(l.Models[0]).String()
	l.Models[0].Layers = []lock.ModelLayer{{Size: work.Layers[0].Size, Digest: digest.FromString("layer"), DiffID: digest.FromString("layer")}}
	if published != "" {
		l.Models[0].Published = published + "@" + digest.FromString("image").String()
	}
	return p, l
}

// A published repository that the spec doesn't name is drift; it can be removed from the
// lock without a network.
func TestALockNamesAPlaceOfItsSpec(t *testing.T) {
	for _, tt := range []struct {
		name, line, published string
		fits                  bool
	}{
		{"none", "", "", true},
		{"none yet", `published = "r.example/w"`, "", true},
		{"the place", `published = "r.example/w"`, "r.example/w", true},
		{"another", `published = "r.example/w"`, "evil.example/w", false},
		{"one unasked", "", "evil.example/w", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, l := claimed(t, tt.line, tt.published)
			err := p.CheckLock(l)
			hints := strings.Join(Hints(err), "\n")
			told := err != nil && KindOf(err) == Findings && strings.Contains(err.Error(), "published in evil.example/w, the spec names ")
			if told == tt.fits || told != strings.Contains(hints, `published = "evil.example/w"; otherwise run "build lock --unpublish `+p.Dir()) {
				t.Errorf("got %v, %q", err, hints)
			}
			if err = p.WriteLock(l); err != nil {
				t.Fatal(err)
			}
			places, err := p.Unpublish()
			after, _, readErr := p.ReadLock()
			if err != nil || readErr != nil || after.Models[0].Published != "" || after.Models[0].Layers != nil {
				t.Errorf("after Unpublish: %+v, %v, %v", after.Models, err, readErr)
			}
			if want := l.Models[0].Published; strings.Join(places, "") != want {
				t.Errorf("removed %q, want %q", places, want)
			}
		})
	}
	p, _ := claimed(t, "", "")
	if _, err := p.Unpublish(); KindOf(err) != Findings || len(Hints(err)) != 1 {
		t.Errorf("without a lock: %v", err)
	}
}

// The lock has the repository as the spec writes it, by whatever name the registry was reached.
func TestThePlaceOfAPush(t *testing.T) {
	m := model("hf://org/one@main", "/m", "x")
	for _, tt := range []struct{ place, pushed, want string }{
		{"r.example/w", "r.example/w:2", "r.example/w"},
		{"docker.io/acme/w", "index.docker.io/acme/w@sha256:" + strings.Repeat("0", 64), "docker.io/acme/w"},
		{"r.example/w", "r.example/w/x:2", ""},
		{"r.example/w", "r.example:5000/w", ""},
	} {
		p, _ := claimed(t, fmt.Sprintf("published = %q", tt.place), "")
		if got := p.placeOf(m, tt.pushed); got != tt.want {
			t.Errorf("%s, pushed to %s: got %q, want %q", tt.place, tt.pushed, got, tt.want)
		}
	}
}

// pattern is the source of the model's only file.
type pattern struct{ data []byte }

func (p pattern) Open(_ context.Context, _ lock.ModelFile, offset, length int64) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(p.data[offset : offset+length])), nil
}

// A published model that can't be read may come from elsewhere; a different one is an
// error.
func TestAPublishedModelIsLookedAt(t *testing.T) {
	r := testworld.NewRegistry(t, testworld.RegistryOptions{})
	p, l := claimed(t, fmt.Sprintf("published = %q", r.Host+"/w"), "")
	m := &l.Models[0]
	data := []byte(strings.Repeat("x", 100))
	m.Files[0].SHA256, m.Layers = sum(data), nil
	m.Digest = weights.Digest(*m).String()
	work, err := weights.NewJob(*m)
	if err != nil {
		t.Fatal(err)
	}
	work.Source = pattern{data}
	repo, err := registry.Open(t.Context(), r.Host+"/w", registry.Options{})
	if err != nil {
		t.Fatal(err)
	}
	image, err := weights.Push(t.Context(), weights.PushOptions{Job: work, Repository: repo, Tag: "1"})
	if err != nil {
		t.Fatal(err)
	}
	published := *m
	published.Published, published.Layers = r.Host+"/w@"+image.Manifest.Digest.String(), image.Locked()
	gone, forged := published, published
	gone.Published = r.Host + "/w@" + digest.FromString("gone").String()
	forged.Layers = slices.Clone(published.Layers)
	forged.Layers[0].Digest, forged.Layers[0].DiffID = digest.FromString("forged"), digest.FromString("forged")
	stopped := testworld.NewRegistry(t, testworld.RegistryOptions{})
	stopped.Stop()
	off := published
	off.Published = stopped.Host + "/w@" + image.Manifest.Digest.String()
	private := testworld.NewRegistry(t, testworld.RegistryOptions{User: "ann", Password: "secret", Tokens: true})
	barred := published
	barred.Published = private.Host + "/w@" + image.Manifest.Digest.String()
	for _, tt := range []struct {
		name string
		m    lock.Model
		kind failure.Kind // of what can't be read, or of the lie
		lie  bool
		note string
	}{
		{"there", published, 0, false, ""},
		{"gone", gone, failure.Failure, false, "no longer exists"},
		{"another", forged, failure.Findings, true, ""},
		{"off", off, failure.Transient, false, "can't be read, so its layers are taken from elsewhere"},
		{"for others", barred, failure.Usage, false, "401 Unauthorized"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			asked := work
			asked.Model = tt.m
			got, unread, lied := job{Project: p}.published(t.Context(), &engine.Engine{}, asked)
			note := p.o.Progress.(*notebook).text()
			err := unread
			if tt.lie {
				err = lied
			}
			if (lied != nil) != tt.lie || (err != nil) != (tt.kind != 0) || err != nil && failure.KindOf(err) != tt.kind || !strings.Contains(note, tt.note) || (note == "") != (tt.note == "") {
				t.Errorf("got %v, %v; notes %q", unread, lied, note)
			}
			if err == nil && !slices.Equal(got.Locked(), tt.m.Layers) {
				t.Errorf("its layers are %v", got.Layers)
			}
			if tt.lie && !strings.Contains(strings.Join(Hints(lied), ""), "build lock --unpublish") {
				t.Errorf("hints %q", Hints(lied))
			}
		})
	}
	p.checkLayout(t, work, *m)
	if known := p.knownLayers(t.Context(), published); !slices.Equal(known, image.Locked()) {
		t.Errorf("known layers %v", known)
	}
	published.Layers = nil // as in a lock of format 2
	if known := p.knownLayers(t.Context(), published); !slices.Equal(known, image.Locked()) {
		t.Errorf("known layers from the registry %v", known)
	}
	if known := p.knownLayers(t.Context(), off); known == nil {
		t.Error("the layers of the lock are lost")
	}
	off.Layers = nil
	if known := p.knownLayers(t.Context(), off); known != nil || !strings.Contains(p.o.Progress.(*notebook).text(), "can't be read") {
		t.Errorf("known layers from nowhere %v", known)
	}
}

// checkLayout checks that a layout with a model of that name is checked as well.
func (p *Project) checkLayout(t *testing.T, work weights.Job, m lock.Model) {
	t.Helper()
	store, err := p.openModels(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	image, err := weights.Pull(t.Context(), weights.PullOptions{Job: work, Dir: store.Dir(), Tag: work.LayoutTag()})
	if err != nil {
		t.Fatal(err)
	}
	j := job{Project: p, models: store}
	if got, weightsErr := j.weights(t.Context(), &engine.Engine{}, m); weightsErr != nil || len(got) != 1 {
		t.Errorf("got %v, %v", got, weightsErr)
	}
	blob, err := os.OpenFile(filepath.Join(store.Dir(), "blobs", "sha256", image.Layers[0].Digest.Encoded()), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer blob.Close()
	if _, err = blob.WriteAt([]byte("x"), 0); err != nil {
		t.Fatal(err)
	}
	p.cacheDir = t.TempDir() // as on a machine that has made none of it
	if _, err = j.weights(t.Context(), &engine.Engine{}, m); KindOf(err) != Findings || !strings.Contains(strings.Join(Hints(err), ""), "build model pull") {
		t.Errorf("got %v, %q", err, Hints(err))
	}
}

// The error of a model that is nowhere has both reasons, and is transient if one of them is.
func TestWhyAModelComesFromNowhere(t *testing.T) {
	hub := failure.New(failure.Usage, io.EOF)
	busy := failure.New(failure.Transient, io.ErrNoProgress)
	if err := orUnread(hub, busy); failure.KindOf(err) != failure.Transient || err.Error() != io.EOF.Error()+"; nor from its published repository: "+io.ErrNoProgress.Error() {
		t.Errorf("got %v", err)
	}
	if err := orUnread(hub, io.ErrNoProgress); failure.KindOf(err) != failure.Usage {
		t.Errorf("got %v of kind %d", err, failure.KindOf(err))
	}
	if orUnread(nil, busy) != nil || failure.KindOf(orUnread(hub, nil)) != failure.Usage {
		t.Error("no error became one")
	}
}
