// Package models locks the remote models of a spec: their commit, and every file by size
// and sha256.
package models

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"lamina.build/internal/failure"
	"lamina.build/internal/hub"
	"lamina.build/internal/humanize"
	"lamina.build/internal/resolve/license"
	"lamina.build/internal/weights"
	"lamina.build/lock"
)

// Options configure [Lock].
type Options struct {
	Client       *hub.Client
	Requirements lock.Requirements
	Before       lock.Lock // its published places stay for the same files, if the spec names them
	Layers       func(context.Context, lock.Model) []lock.ModelLayer
	Note         func(string)
}

// Lock finds the files of all models. Of a model on a hub it downloads only the small
// files that are kept in git; for the others the hub reports the sha256. It reports the
// problems of all models at once.
func Lock(ctx context.Context, o Options) ([]lock.Model, error) {
	requests := o.Requirements.ModelRequests
	models, problems := make([]lock.Model, len(requests)), make([]error, len(requests))
	for i, r := range requests {
		o.Note("reading the files of " + r.From)
		models[i], problems[i] = o.lock(ctx, r)
		if problems[i] != nil {
			problems[i] = fmt.Errorf("locking model %q: %w", r.From, problems[i])
		}
	}
	return models, errors.Join(problems...)
}

func (o Options) lock(ctx context.Context, r lock.ModelRequest) (lock.Model, error) {
	m := lock.Model{ModelRequest: r, Plan: lock.ModelPlan}
	if err := o.find(ctx, &m); err != nil {
		return lock.Model{}, err
	}
	m.Digest = weights.Digest(m).String()
	if err := check(m); err != nil {
		return lock.Model{}, failure.New(failure.Usage, err)
	}
	m.Published, m.Layers = o.before(m)
	known := o.Layers(ctx, m)
	if m.Published != "" && (known == nil || m.Layers != nil && !slices.Equal(known, m.Layers)) {
		o.Note(fmt.Sprintf("the lock no longer records that %s is published: its layers are unknown or have changed; run \"build model push\" to record it again", m.Name()))
		m.Published = ""
	}
	m.Layers = known
	return m, nil
}

// find fills in the selected files with their hashes.
func (o Options) find(ctx context.Context, m *lock.Model) error {
	var files []hub.File
	var err error
	repository, revision, isHub := m.Repository()
	if isHub {
		var r hub.Revision
		if r, err = o.Client.Revision(ctx, repository, revision); err == nil {
			m.Commit, m.License = r.Commit, license.Of(r.Licenses...)
			files, err = o.Client.Tree(ctx, repository, m.Commit)
		}
	} else {
		var list digest.Digest
		files, list, err = o.Client.List(ctx, m.From)
		m.List = list.String()
	}
	if err != nil {
		return err
	}
	wanted, err := hub.Match(files, m.Include, m.Exclude)
	if err != nil {
		return err
	}
	o.idle(files, slices.Concat(m.Include, m.Exclude))
	o.Note(fmt.Sprintf("selected %d of %s of %s, %s", len(wanted), humanize.Count(len(files), "file"), m.Name(), size(wanted)))
	m.Files, err = o.Client.Lock(ctx, wanted)
	for i := range m.Files {
		if isHub {
			m.Files[i].URL = "" // follows from the commit
		}
	}
	return err
}

// idle notes patterns that match nothing: they are likely mistakes.
func (o Options) idle(files []hub.File, patterns []string) {
	for _, p := range patterns {
		if _, err := hub.Match(files, []string{strings.TrimPrefix(p, "!")}, nil); errors.Is(err, hub.ErrNoMatch) {
			o.Note(fmt.Sprintf("pattern %q matches no file", p))
		}
	}
}

func size(files []hub.File) string {
	var bytes int64
	for _, f := range files {
		bytes += min(f.Size, math.MaxInt64-bytes) // the lock checks the sizes that a hub reports
	}
	return humanize.Size(bytes)
}

// check checks the model as a whole: renames of missing files, two files at one path.
func check(m lock.Model) error {
	var problems []error
	for _, from := range slices.Sorted(maps.Keys(m.Rename)) {
		if !slices.ContainsFunc(m.Files, func(f lock.ModelFile) bool { return f.Path == from }) {
			problems = append(problems, fmt.Errorf("rename %q: no such file among those selected", from))
		}
	}
	_, err := weights.Layers(m.Name(), m, weights.MaxLayers)
	return errors.Join(append(problems, err)...)
}

// before returns the layers of the same files in an earlier lock, and where they are
// published if the spec still names that place.
func (o Options) before(m lock.Model) (published string, layers []lock.ModelLayer) {
	for _, b := range o.Before.Models {
		if b.Digest != m.Digest || b.Plan != m.Plan || b.Path != m.Path {
			continue
		}
		switch {
		case slices.Contains(o.Requirements.PlacesOf(m.ModelRequest), b.Place()):
			published = b.Published
		case b.Published != "":
			o.Note(fmt.Sprintf("the lock no longer records that %s is published in %s; to keep that, name the place in the spec: published = %q", m.Name(), b.Place(), b.Place()))
		}
		return published, b.Layers
	}
	return "", nil
}
