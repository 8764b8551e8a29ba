package lamina

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/internal/failure"
	"lamina.build/internal/hub"
	"lamina.build/internal/layout"
	"lamina.build/lock"
)

// modelsDir is the directory, in the cache directory, of the models that were pulled or
// made, an OCI layout with a tag for each.
const modelsDir = "models"

// hub returns the client for models, configured by the environment.
func (h *host) hub() (*hub.Client, error) {
	return hub.New(hub.Options{
		Endpoint: h.env("HF_ENDPOINT"), Token: h.hubToken(),
		Note: h.line,
	})
}

// hubToken returns the token in the environment, trimmed: one read from a file ends in a
// newline, which no header can have.
func (h *host) hubToken() hub.Token { return hub.Token(strings.TrimSpace(h.env("HF_TOKEN"))) }

// findModels opens the layout of models, which must exist if it is named.
func (h *host) findModels(ctx context.Context, dir string) (*layout.Layout, error) {
	if dir != "" {
		if _, err := os.Stat(filepath.Join(dir, ocispec.ImageIndexFile)); err != nil {
			err := failure.New(failure.Usage, fmt.Errorf("directory %q holds no models", dir))
			return nil, failure.WithHint(err, fmt.Sprintf("run \"build model pull %s\" to fetch them", dir))
		}
	}
	return h.openModels(ctx, dir)
}

func (h *host) openModels(ctx context.Context, dir string) (*layout.Layout, error) {
	if dir == "" {
		dir = filepath.Join(h.cacheDir, modelsDir)
	}
	return layout.Open(ctx, dir)
}

// modelNames returns the names of the models of a lock: from the spec, else from the
// model's source.
func (p *Project) modelNames(l lock.Lock) ([]string, error) {
	names := make([]string, len(l.Models))
	for i, m := range l.Models {
		names[i] = m.Name()
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

// lockedModels are the models of a lock that fits its spec.
type lockedModels struct {
	lock  lock.Lock
	names []string // of the lock's models, from [Project.modelNames]
}

func (p *Project) models() (m lockedModels, err error) {
	var ok bool
	if m.lock, ok, err = p.ReadLock(); err == nil && !ok {
		err = p.noLock()
	}
	if err == nil {
		err = p.CheckLock(m.lock)
	}
	if err != nil {
		return m, err
	}
	m.names, err = p.modelNames(m.lock)
	return m, err
}

// pick returns the one model that a command is about.
func (m lockedModels) pick(name string) (int, error) {
	var found []int
	for i, one := range m.lock.Models {
		if name == "" || m.names[i] == name || one.Name() == name || one.From == name || one.Path == name {
			found = append(found, i)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(m.lock.Models) == 0:
		err := failure.New(failure.Usage, errors.New("the lock has no model"))
		return 0, failure.WithHint(err, "\"build lock\" locks each [[model]] from hf:// or https://; a model from a directory isn't published")
	case len(found) == 0:
		return 0, failure.New(failure.Usage, fmt.Errorf("no model is named %q; the lock has %s", name, strings.Join(m.names, ", ")))
	}
	list := make([]string, len(found))
	for k, i := range found {
		list[k] = m.names[i] + " at " + m.lock.Models[i].Path
	}
	err := failure.New(failure.Usage, fmt.Errorf("several models match: %s", strings.Join(list, ", ")))
	return 0, failure.WithHint(err, "choose one with --model, by its name or path")
}
