// Package models brings the models of a spec that lie elsewhere into a lock: their
// commit, and every file by size and sha256.
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

// Options say what is locked.
type Options struct {
	Client       *hub.Client
	Requirements lock.Requirements
	Before       lock.Lock // where the same files are published stays known, if the spec names the place
	Layers       func(context.Context, lock.Model) []lock.ModelLayer
	Note         func(string)
}

// Lock finds the files of all models. Of a model from a hub it fetches those
// that are kept in git, which are small; of the others a hub tells the sha256.
// The problems of all models are reported at once.
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
		o.Note(fmt.Sprintf("the lock no longer says that %s is published, since nobody knows its layers, or they are others: \"build model push\" has it say so again", m.Name()))
		m.Published = ""
	}
	m.Layers = known
	return m, nil
}

// find fills in the files that are wanted, with all hashes.
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
	o.Note(fmt.Sprintf("%d of %s of %s are wanted, %s", len(wanted), humanize.Count(len(files), "file"), m.Name(), size(wanted)))
	m.Files, err = o.Client.Lock(ctx, wanted)
	for i := range m.Files {
		if isHub {
			m.Files[i].URL = "" // it follows from the commit
		}
	}
	return err
}

// idle tells of patterns that match nothing: likely they were meant otherwise.
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
		bytes += min(f.Size, math.MaxInt64-bytes) // what a hub says is checked with the lock
	}
	return humanize.Size(bytes)
}

// check finds what is wrong with the model as a whole: renames of files that
// are not there, two files with one place.
func check(m lock.Model) error {
	var problems []error
	for _, from := range slices.Sorted(maps.Keys(m.Rename)) {
		if !slices.ContainsFunc(m.Files, func(f lock.ModelFile) bool { return f.Path == from }) {
			problems = append(problems, fmt.Errorf("rename %q: no such file is among those that are wanted", from))
		}
	}
	_, err := weights.Layers(m.Name(), m, weights.MaxLayers)
	return errors.Join(append(problems, err)...)
}

// before are the layers of the same files in an earlier lock, and where it says that
// they are, if it may say so.
func (o Options) before(m lock.Model) (published string, layers []lock.ModelLayer) {
	for _, b := range o.Before.Models {
		if b.Digest != m.Digest || b.Plan != m.Plan || b.Path != m.Path {
			continue
		}
		switch {
		case slices.Contains(o.Requirements.PlacesOf(m.ModelRequest), b.Place()):
			published = b.Published
		case b.Published != "":
			o.Note(fmt.Sprintf("the lock no longer says that %s is published in %s: the spec would have to name the place, published = %q", m.Name(), b.Place(), b.Place()))
		}
		return published, b.Layers
	}
	return "", nil
}
