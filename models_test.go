package lamina

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/buildkit/session/secrets"
	"github.com/opencontainers/go-digest"

	"lamina.build/internal/layout"
	"lamina.build/internal/weights"
	"lamina.build/lock"
	"lamina.build/spec"
)

// model returns a locked model of a hub.
func model(from, path string, files ...string) lock.Model {
	m := lock.Model{ModelRequest: lock.ModelRequest{From: from, Path: path}, Commit: strings.Repeat("c", 40), Plan: lock.ModelPlan}
	for i, name := range files {
		m.Files = append(m.Files, lock.ModelFile{Path: name, Size: int64(100 * (i + 1)), SHA256: sum([]byte(name))})
	}
	m.Digest = digest.FromString(from).String()
	return m
}

// shelf returns a lock with two models of one repository and one of a list.
func shelf() lockedModels {
	return lockedModels{
		lock: lock.Lock{Models: []lock.Model{
			model("hf://org/one@main", "/models/a", "x.bin"), model("hf://org/one@main", "/models/b", "x.bin", "y.bin"), model("https://w.example/SHA256SUMS", "/models/c", "z"),
		}},
		names: []string{"first", "org/one", "w.example/SHA256SUMS"},
	}
}

func TestPickOfAModel(t *testing.T) {
	for name, want := range map[string]int{"first": 0, "/models/b": 1, "https://w.example/SHA256SUMS": 2, "w.example/SHA256SUMS": 2} {
		if got, err := shelf().pick(name); got != want || err != nil {
			t.Errorf("%s is number %d, %v", name, got, err)
		}
	}
	for name, want := range map[string]struct{ text, hint string }{
		"":                  {"several models match: first at /models/a, org/one at /models/b, w.example/SHA256SUMS at /models/c", "choose one with --model, by its name or path"},
		"hf://org/one@main": {"several models match: first at /models/a, org/one at /models/b", "choose one with --model, by its name or path"},
		"none":              {`no model is named "none"; the lock has first, org/one, w.example/SHA256SUMS`, ""},
	} {
		_, err := shelf().pick(name)
		if KindOf(err) != Usage || err.Error() != want.text || strings.Join(Hints(err), "") != want.hint {
			t.Errorf("%q: got %v, %q", name, err, Hints(err))
		}
	}
	if _, err := (lockedModels{}).pick(""); KindOf(err) != Usage || err.Error() != "the lock has no model" || len(Hints(err)) != 1 {
		t.Errorf("without models: %v", err)
	}
}

// The list has the files of each layer, and the models in the layout.
func TestListOfModels(t *testing.T) {
	store, err := layout.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	all, err := shelf().list(t.Context(), store, "")
	if err != nil || len(all) != 3 {
		t.Fatalf("got %d, %v", len(all), err)
	}
	got, err := shelf().list(t.Context(), store, "/models/b")
	if err != nil || len(got) != 1 {
		t.Fatalf("got %d, %v", len(got), err)
	}
	b := shelf().lock.Models[1]
	want := ListedModel{
		Name: "org/one", From: b.From, Commit: b.Commit, Path: "/models/b", Digest: b.Digest, Size: 300,
		Layers: []ListedLayer{{Files: []ListedFile{{"/models/b/x.bin", 100, sum([]byte("x.bin"))}, {"/models/b/y.bin", 200, sum([]byte("y.bin"))}}}},
	}
	for i := range got[0].Layers {
		if l := got[0].Layers[i]; l.Name == "" || l.Size < 300 {
			t.Errorf("layer %q has %d bytes", l.Name, l.Size)
		}
		got[0].Layers[i].Name, got[0].Layers[i].Size = "", 0
	}
	if diff := cmp.Diff(want, got[0]); diff != "" {
		t.Errorf("model (-want +got):\n%s", diff)
	}
	if _, err = shelf().list(t.Context(), store, "none"); KindOf(err) != Usage {
		t.Errorf("unknown model: %v", err)
	}
}

// A model has the name that the spec of any variant gives it.
func TestNamesOfModels(t *testing.T) {
	dir := t.TempDir()
	text := "name = \"x\"\n[debian]\npackages = [\"bash\"]\n[[variant.fast.model]]\nname = \"quick\"\nfrom = \"hf://org/two@main\"\npath = \"/m\"\n"
	if err := os.WriteFile(filepath.Join(dir, SpecName), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := Open(dir, Options{CacheDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	names, err := p.modelNames(lock.Lock{Models: []lock.Model{model("hf://org/one@main", "/m"), model("hf://org/two@main", "/m")}})
	if err != nil || strings.Join(names, " ") != "org/one quick" {
		t.Errorf("got %q, %v", names, err)
	}
	// Without a lock there is nothing to transfer.
	_, pushErr := p.Push(t.Context(), "r.example/a:1", PushOptions{})
	_, pullErr := p.Pull(t.Context(), "", t.TempDir())
	_, listErr := p.Models(t.Context(), "", "")
	for _, err := range []error{pushErr, pullErr, listErr} {
		if KindOf(err) != Findings || !strings.HasSuffix(err.Error(), "image.lock does not exist") || len(Hints(err)) != 1 {
			t.Errorf("got %v, %q", err, Hints(err))
		}
	}
}

// The reference to push to is checked before a registry is contacted.
func TestPlacesOfAPush(t *testing.T) {
	h := &host{o: Options{Env: func(string) string { return "" }}}
	for to, want := range map[string]string{
		"UPPER CASE": `reference "UPPER CASE": `,
		"r.example/a@sha256:" + strings.Repeat("0", 64): "which only the push determines",
	} {
		if _, _, err := h.push(t.Context(), PushOptions{}, shelf().lock.Models[0], to); KindOf(err) != Usage || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", to, err)
		}
	}
}

func TestALayoutOfModelsHasToBeThere(t *testing.T) {
	h := &host{cacheDir: t.TempDir()}
	dir := t.TempDir()
	if _, err := h.findModels(t.Context(), dir); KindOf(err) != Usage || !strings.HasSuffix(err.Error(), "holds no models") || !strings.Contains(strings.Join(Hints(err), ""), "model pull "+dir) {
		t.Errorf("got %v, %q", err, Hints(err))
	}
	l, err := h.findModels(t.Context(), "")
	if err != nil || l.Dir() != filepath.Join(h.cacheDir, modelsDir) {
		t.Fatalf("got %v in %s", err, l.Dir())
	}
	defer l.Close()
}

// The token is only for the hub's host, and only for models of a hub.
func TestTokenOfTheHub(t *testing.T) {
	h := &host{o: Options{Env: func(name string) string {
		return map[string]string{"HF_TOKEN": " secret\n", "HF_ENDPOINT": "https://hub.example:8443"}[name]
	}}}
	c, err := h.hub()
	if err != nil {
		t.Fatal(err)
	}
	for from, want := range map[string]string{"hf://org/one@main": "secret", "https://hub.example:8443/SHA256SUMS": ""} {
		store := h.hubSecrets(c.Locate(model(from, "/m", "x"))).(secrets.SecretsServer)
		got, err := store.GetSecret(t.Context(), &secrets.GetSecretRequest{ID: "HTTP_AUTH_TOKEN_hub.example"})
		if string(got.GetData()) != want || (err == nil) != (want != "") {
			t.Errorf("%s: got %q, %v", from, got.GetData(), err)
		}
	}
	if hostOf("https://a.example:1/x") != "a.example" || hostOf(":") != "" {
		t.Error("wrong host")
	}
}

// Layers count as published only if they are divided by the current plan. If nothing is
// built, no registry is contacted.
func TestPublishedModels(t *testing.T) {
	m := model("hf://org/one@main", "/m", "x")
	published, old := m, m
	published.Published = "r.example/w@sha256:" + strings.Repeat("e", 64)
	old.Published, old.Plan = published.Published, lock.ModelPlan+1
	for want, list := range map[bool][]lock.Model{true: {published}, false: {m, old}} {
		for _, m := range list {
			if got := isPublished(m); got != want {
				t.Errorf("%q of plan %d is published: %t", m.Published, m.Plan, got)
			}
		}
	}
	work, err := weights.NewJob(published)
	if err != nil {
		t.Fatal(err)
	}
	if _, unread, err := (job{}).published(t.Context(), nil, work); unread != nil || err != nil {
		t.Errorf("got %v, %v", unread, err)
	}
}

// Without an engine a model is drawn as it would be fetched, published or pulled; a
// directory, and a model that isn't baked in, have no layers yet.
func TestDrawingOfModels(t *testing.T) {
	store, err := layout.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	wanted := []spec.Model{{Name: "m", From: "hf://org/one@main", Path: "/m"}, {From: "dir:weights", Path: "/w"}}
	m := model(wanted[0].From, "/m", "x.bin")
	m.ModelRequest = wanted[0].Request()
	j := job{Project: &Project{host: &host{o: Options{Env: func(string) string { return "" }}}}, models: store, lock: lock.Lock{Models: []lock.Model{m}}}
	j.on, j.spec = "linux/amd64", spec.Spec{Models: wanted, Weights: spec.WeightsLayers}
	images, err := j.images(t.Context(), nil)
	if err != nil || len(images) != 2 {
		t.Fatalf("got %d, %v", len(images), err)
	}
	work, err := weights.NewJob(m)
	if err != nil {
		t.Fatal(err)
	}
	if i := images[0]; i.Name != "m" || i.Path != "/m" || i.Locked == nil || len(i.Weights) != len(work.Layers) {
		t.Errorf("a locked one is %+v", i)
	}
	if i := images[1]; i.Path != "/w" || i.Locked != nil || i.Weights != nil {
		t.Errorf("a directory is %+v", i)
	}
	j.spec.Weights = spec.WeightsNone
	if images, err = j.images(t.Context(), nil); err != nil || images[0].Locked == nil || images[0].Weights != nil {
		t.Errorf("one that is not baked in: %+v, %v", images[0], err)
	}
	j.spec.Weights, j.lock.Models = spec.WeightsLayers, nil
	if _, err = j.images(t.Context(), nil); err == nil || err.Error() != `model "hf://org/one@main": the lock doesn't have it` {
		t.Errorf("one that no lock has: %v", err)
	}
}
