package models_test

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"lamina.build/internal/failure"
	"lamina.build/internal/fetch"
	"lamina.build/internal/hub"
	"lamina.build/internal/resolve/models"
	"lamina.build/internal/test/testworld"
	"lamina.build/internal/weights"
	"lamina.build/lock"
)

// world is a hub with one model.
type world struct {
	*testworld.World

	hub    *testworld.Hub
	repo   *testworld.HubRepo
	client *hub.Client
	commit string
	known  []lock.ModelLayer // of any model, by this machine
	notes  notes
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{World: testworld.New(t)}
	w.hub = w.Hub(testworld.HubOptions{})
	w.repo = w.hub.Repo("org/name", testworld.HubRepoOptions{})
	w.commit = w.repo.Commit(map[string]testworld.HubFile{
		"a.bin": testworld.Large(testworld.Generated(1, 100)), "b.json": testworld.Small("{}"), "empty": testworld.Small(""),
	})
	var err error
	if w.client, err = hub.New(hub.Options{Endpoint: w.hub.Endpoint, HTTP: fetch.Options{Attempts: 1}}); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) lock(t *testing.T, before lock.Lock, requests ...lock.ModelRequest) ([]lock.Model, error) {
	t.Helper()
	return models.Lock(t.Context(), models.Options{
		Client: w.client, Requirements: lock.Requirements{ModelRequests: requests, Places: before.Places}, Before: before, Note: w.notes.add,
		Layers: func(_ context.Context, m lock.Model) []lock.ModelLayer {
			if w.known != nil {
				return w.known
			}
			return m.Layers
		},
	})
}

type notes []string

func (n *notes) add(line string) { *n = append(*n, line) }

func TestLockOfAHub(t *testing.T) {
	w := newWorld(t)
	r := lock.ModelRequest{From: "hf://org/name@main", Path: "/m", Rename: map[string]string{"a.bin": "c/d.bin"}}
	models, err := w.lock(t, lock.Lock{}, r)
	if err != nil {
		t.Fatal(err)
	}
	m := models[0]
	want := []string{"a.bin 100", "b.json 2", "empty 0"}
	var got []string
	for _, f := range m.Files {
		got = append(got, fmt.Sprintf("%s %d", f.Path, f.Size))
	}
	if diff := cmp.Diff(want, got); diff != "" || m.Commit != w.commit || m.Plan != lock.ModelPlan {
		t.Errorf("commit %s, plan %d, files (-want +got):\n%s", m.Commit, m.Plan, diff)
	}
	if m.Digest != weights.Digest(m).String() {
		t.Errorf("digest %s", m.Digest)
	}
	l := lock.Lock{Models: models, Requirements: lock.Requirements{ModelRequests: []lock.ModelRequest{r}}}
	l.Sort()
	if _, err = lock.Parse("image.lock", l.Format()); err != nil {
		t.Errorf("what was locked is no lock: %v", err)
	}
	in, err := w.client.Open(t.Context(), w.client.Locate(m).Files[0], 10, 20)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if data, err := io.ReadAll(in); len(data) != 20 || err != nil {
		t.Errorf("%d bytes, %v", len(data), err)
	}
}

// People write cards, in many ways.
func TestLicensesOfCards(t *testing.T) {
	w := newWorld(t)
	for i, tt := range []struct {
		card any
		want string
	}{
		{map[string]any{"license": "apache-2.0"}, "Apache-2.0"},
		{map[string]any{"license": []string{"mit"}}, "MIT"},
		{map[string]any{"license": []string{"mit", "apache-2.0"}}, "LicenseRef-mit-apache-2.0"},
		{map[string]any{"license": "other", "license_name": "flux-1-dev"}, "LicenseRef-flux-1-dev"},
		{map[string]any{"license": "other"}, ""},
		{map[string]any{"license": map[string]string{"a": "b"}}, ""},
		{map[string]any{}, ""},
		{"words", ""},
		{nil, ""},
	} {
		name := fmt.Sprintf("org/card%d", i)
		w.hub.Repo(name, testworld.HubRepoOptions{Card: tt.card}).Commit(map[string]testworld.HubFile{"a": testworld.Small("{}")})
		models, err := w.lock(t, lock.Lock{}, lock.ModelRequest{From: "hf://" + name + "@main", Path: "/m"})
		if err != nil {
			t.Fatal(err)
		}
		if models[0].License != tt.want || models[0].List != "" {
			t.Errorf("%v: got %q, want %q", tt.card, models[0].License, tt.want)
		}
	}
}

func TestLockOfAList(t *testing.T) {
	w := newWorld(t)
	w.Put("/list/x.bin", []byte("x"))
	w.Put("/list/SHA256SUMS", []byte("2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881  x.bin\n"))
	models, err := w.lock(t, lock.Lock{}, lock.ModelRequest{From: w.URL + "/list/SHA256SUMS", Path: "/m"})
	if err != nil {
		t.Fatal(err)
	}
	list := digest.FromBytes(w.Content("/list/SHA256SUMS")).String()
	if f := models[0].Files[0]; f.URL != w.URL+"/list/x.bin" || f.Size != 1 || models[0].Commit != "" || models[0].List != list {
		t.Errorf("got %+v", models[0])
	}
}

func TestWhatIsPublishedStaysKnownWhileItIsTheSame(t *testing.T) {
	w := newWorld(t)
	r := lock.ModelRequest{From: "hf://org/name@main", Path: "/m"}
	models, err := w.lock(t, lock.Lock{}, r)
	if err != nil {
		t.Fatal(err)
	}
	models[0].Published = "registry.example/w@sha256:" + strings.Repeat("a", 64)
	d := digest.FromString("layer")
	models[0].Layers = []lock.ModelLayer{{Size: 4096, Digest: d, DiffID: d}}
	other := []lock.ModelLayer{{Size: 4096, Digest: digest.FromString("other"), DiffID: digest.FromString("other")}}
	place := []lock.Place{{Model: r, Repository: "registry.example/w"}}
	for _, tt := range []struct {
		name          string
		places        []lock.Place
		layers, known []lock.ModelLayer
		published     bool
		want          []lock.ModelLayer
		noted         bool
	}{
		{"as it was", place, models[0].Layers, nil, true, models[0].Layers, false},
		{"the machine knows it, too", place, models[0].Layers, models[0].Layers, true, models[0].Layers, false},
		{"the machine knows other layers", place, models[0].Layers, other, false, other, true},
		{"a lock that had no layers", place, nil, other, true, other, false},
		{"layers that nobody knows", place, nil, nil, false, nil, true},
		{"a place that the spec doesn't name", nil, models[0].Layers, nil, false, models[0].Layers, true},
	} {
		before := lock.Lock{Requirements: lock.Requirements{Places: tt.places}, Models: slices.Clone(models)}
		before.Models[0].Layers, w.known, w.notes = tt.layers, tt.known, nil
		again, lockErr := w.lock(t, before, r)
		if lockErr != nil || (again[0].Published == models[0].Published) != tt.published || !slices.Equal(again[0].Layers, tt.want) {
			t.Errorf("%s: published %q, layers %v, %v", tt.name, again[0].Published, again[0].Layers, lockErr)
		}
		if noted := strings.Contains(strings.Join(w.notes, "\n"), "no longer records that org/name is published"); noted != tt.noted {
			t.Errorf("%s: noted: %t", tt.name, noted)
		}
	}
	w.known = nil
	w.repo.Commit(map[string]testworld.HubFile{"a.bin": testworld.Large(testworld.Generated(2, 100))})
	changed, err := w.lock(t, lock.Lock{Requirements: lock.Requirements{Places: place}, Models: models}, r)
	if err != nil || changed[0].Published != "" || changed[0].Layers != nil {
		t.Errorf("other files are published as %q, %v", changed[0].Published, err)
	}
}

func TestProblemsOfALock(t *testing.T) {
	w := newWorld(t)
	for _, tt := range []struct {
		name string
		r    lock.ModelRequest
		want string
	}{
		{"no such model", lock.ModelRequest{From: "hf://org/none@main", Path: "/m"}, "org/none"},
		{"no such revision", lock.ModelRequest{From: "hf://org/name@v9", Path: "/m"}, "v9"},
		{"no file left", lock.ModelRequest{From: "hf://org/name@main", Path: "/m", Include: []string{"*.nope"}}, "no file matches"},
		{"a rename of nothing", lock.ModelRequest{From: "hf://org/name@main", Path: "/m", Rename: map[string]string{"x": "y"}}, `rename "x"`},
		{"two files in one place", lock.ModelRequest{From: "hf://org/name@main", Path: "/m", Rename: map[string]string{"a.bin": "b.json"}}, "same name"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := w.lock(t, lock.Lock{}, tt.r)
			if err == nil || !strings.Contains(err.Error(), tt.want) || failure.KindOf(err) != failure.Usage {
				t.Errorf("got %v of kind %v, want %q of usage", err, failure.KindOf(err), tt.want)
			}
		})
	}
	_, err := w.lock(t, lock.Lock{}, lock.ModelRequest{From: "hf://org/none@main", Path: "/m"}, lock.ModelRequest{From: "hf://org/name@v9", Path: "/n"})
	if err == nil || !strings.Contains(err.Error(), "org/none") || !strings.Contains(err.Error(), "v9") {
		t.Errorf("not all problems at once: %v", err)
	}
}
