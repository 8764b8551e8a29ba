// Package models brings the models of a spec that lie elsewhere into a lock: their
// commit, and every file by size and sha256.
package models

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"lamina.build/internal/failure"
	"lamina.build/internal/hub"
	"lamina.build/internal/humanize"
	"lamina.build/internal/weights"
	"lamina.build/lock"
)

// Options say what is locked.
type Options struct {
	Client   *hub.Client
	Requests []lock.ModelRequest
	Before   lock.Lock // where the same files are published stays known
	Note     func(string)
}

// Lock finds the files of all models. Of a model from a hub it fetches those
// that are kept in git, which are small; of the others a hub tells the sha256.
// The faults of all models are reported at once.
func Lock(ctx context.Context, o Options) ([]lock.Model, error) {
	models, faults := make([]lock.Model, len(o.Requests)), make([]error, len(o.Requests))
	for i, r := range o.Requests {
		o.Note("reading the files of " + r.From)
		models[i], faults[i] = o.lock(ctx, r)
		if faults[i] != nil {
			faults[i] = fmt.Errorf("locking model %q: %w", r.From, faults[i])
		}
	}
	return models, errors.Join(faults...)
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
	m.Published = o.published(m)
	return m, nil
}

// find fills in the files that are wanted, with all hashes.
func (o Options) find(ctx context.Context, m *lock.Model) error {
	var files []hub.File
	var err error
	repository, revision, isHub := m.Repository()
	if isHub {
		if m.Commit, err = o.Client.Commit(ctx, repository, revision); err == nil {
			files, err = o.Client.Tree(ctx, repository, m.Commit)
		}
	} else {
		files, err = o.Client.List(ctx, m.From)
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
		bytes += f.Size
	}
	return humanize.Size(bytes)
}

// check finds what is wrong with the model as a whole: renames of files that
// are not there, two files with one place.
func check(m lock.Model) error {
	var faults []error
	for _, from := range slices.Sorted(maps.Keys(m.Rename)) {
		if !slices.ContainsFunc(m.Files, func(f lock.ModelFile) bool { return f.Path == from }) {
			faults = append(faults, fmt.Errorf("rename %q: no such file is among those that are wanted", from))
		}
	}
	_, err := weights.Layers(m.Name(), m, weights.MaxLayers)
	return errors.Join(append(faults, err)...)
}

// published is where an earlier lock says that the same layers are.
func (o Options) published(m lock.Model) string {
	for _, b := range o.Before.Models {
		if b.Digest == m.Digest && b.Plan == m.Plan && b.Path == m.Path {
			return b.Published
		}
	}
	return ""
}
