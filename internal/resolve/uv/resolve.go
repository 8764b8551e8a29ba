// Package uv locks the Python distributions of a spec.
//
// uv resolves them. It runs in the builder with the network off; its requests pass through a
// door on the client (package door):
//
//	turn each set of requirements into a question     (request.go, before.go, question.go)
//	have uv and backends of sdists answer it          (graph.go, door.go, scripts/)
//	explain problems in terms of the spec             (problem.go, hint.go)
//	complete the files from their indexes             (complete.go, promise.go, wheel.go, metadata.go)
//	reject what would fail later                      (check.go, names.go)
//	put everything into the lock                      (answer.go)
//	check any lock against the requirements           (drift.go, origin.go, otherlock.go, doubt.go)
//
// A set that needs no index, such as source trees whose dependencies are Debian packages, is
// answered without a door, and without uv.
package uv

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"time"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/session"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/internal/fetch"
	"lamina.build/internal/resolve/door"
	"lamina.build/internal/solve"
	"lamina.build/llb"
	"lamina.build/lock"
)

// Options configure [Resolve].
type Options struct {
	Client   *client.Client
	Builder  llb.State // the root file system that compiles
	Image    llb.State // the one that the distributions will be installed on
	Store    content.Store
	Platform ocispec.Platform
	Project  fs.FS                // the directory of the spec
	Trees    map[string]llb.Layer // the source trees of all requests, by directory
	Requests []Request
	Indexes  Indexes
	Before   lock.Lock // whose versions stay where they can
	Upgrade  Upgrade
	HTTP     *fetch.Client // which sends logins
	Logins   Logins        // for the engine's own downloads
	Dir      string        // a private directory, with a short path, for the doors
	CacheID  string        // a random name, fixed for the project directory
	CacheDir string        // for the content of wheels
	Limit    time.Duration // of one resolution, and then of one file; 20 minutes if zero
	Note     func(string)  // notes for the user
	Progress func(context.Context, chan *client.SolveStatus) error

	uv lock.UV
}

func (o Options) limit() time.Duration { return cmp.Or(o.Limit, 20*time.Minute) }

// Resolve adds to l the distributions that answer the requests. It reports the problems of
// all sets at once.
func Resolve(ctx context.Context, o Options, l *lock.Lock) error {
	o.Upgrade = o.Upgrade.normal()
	there, err := o.inventory(ctx)
	if err != nil {
		return fmt.Errorf("reading what Debian's packages provide: %w", err)
	}
	answers, err := o.answers(ctx, there, l.Platform)
	if err != nil {
		return err
	}
	if err := checkNames(o.Requests, answers); err != nil {
		return err
	}
	o.tellUnasked(o.Requests, answers)
	problems := make([]error, len(answers))
	for i, a := range answers {
		problems[i] = o.check(o.Requests[i], a, there)
	}
	if err := errors.Join(problems...); err != nil {
		return err
	}
	fill(l, o, answers)
	return checkBuilders(*l, o.Requests)
}

// inventory is what Debian's packages provide: distributions with their versions, by name,
// and the names of the image's programs and top-level modules.
type inventory struct {
	Builder  map[string]string `json:"builder"`
	Image    map[string]string `json:"image"`
	Programs []string          `json:"programs"`
	Modules  []string          `json:"modules"`
}

func (o Options) inventory(ctx context.Context) (there inventory, err error) {
	text, err := o.read(ctx, o.inventoryGraph())
	if err != nil {
		return there, err
	}
	return there, json.Unmarshal(text, &there)
}

// answers asks all questions: first those that need no index, then the others concurrently.
func (o *Options) answers(ctx context.Context, there inventory, platform string) ([]answer, error) {
	project, err := o.packProject(ctx)
	if err != nil {
		return nil, err
	}
	answers := make([]answer, len(o.Requests))
	online := make([]bool, len(o.Requests))
	before := versions{o.Before, o.Upgrade}
	for i, r := range o.Requests {
		online[i] = r.asksIndexes()
		if online[i] || len(r.Sources) == 0 { // it is online or empty
			continue
		}
		if answers[i], err = o.askOffline(ctx, i, r.ask(o.Indexes, there, before), project); err != nil {
			return nil, err
		}
		online[i] = answers[i].Problem != nil && answers[i].Problem.Offline
	}
	if !slices.Contains(online, true) {
		return answers, nil
	}
	if o.uv, err = o.findUV(ctx, platform); err != nil {
		return nil, err
	}
	problems := make([]error, len(o.Requests))
	each := o.sideBySide(online)
	var sets sync.WaitGroup
	for i, r := range o.Requests {
		if !online[i] {
			continue
		}
		sets.Go(func() {
			q := r.ask(o.Indexes, there, before)
			if problems[i] = q.overHTTPS(o.Logins); problems[i] == nil {
				answers[i], problems[i] = each.askOnline(ctx, i, q, project)
			}
		})
	}
	sets.Wait()
	return answers, errors.Join(problems...)
}

// sideBySide returns the options of concurrently resolved sets: it serializes their notes,
// and drops the progress of several, since a terminal can show only one.
func (o *Options) sideBySide(online []bool) Options {
	each := *o
	var mu sync.Mutex
	each.Note = func(line string) {
		mu.Lock()
		defer mu.Unlock()
		o.Note(line)
	}
	if i := slices.Index(online, true); i >= 0 && slices.Contains(online[i+1:], true) {
		each.Progress = nil
	}
	return each
}

// askOffline asks a question without an index. That it needs one after all is an answer.
func (o Options) askOffline(ctx context.Context, i int, q question, project *llb.Layer) (a answer, err error) {
	r := o.Requests[i]
	text, err := o.read(ctx, o.resolveGraph(i, q, project, nil))
	if err != nil {
		return a, fmt.Errorf("resolving %s: %w", r.Set, err)
	}
	if a, err = readAnswer(text); err != nil || a.Problem != nil && a.Problem.Offline {
		return a, err
	}
	return a, a.err(r, q)
}

// askOnline opens a door for a question, has it answered, and completes the answer from what
// passed the door.
func (o Options) askOnline(ctx context.Context, i int, q question, project *llb.Layer) (a answer, err error) {
	r := o.Requests[i]
	o.HTTP = o.HTTP.Apart() // a door only uses connections that it checked
	d, err := door.Open(ctx, o.doorOptions(r))
	if err != nil {
		return a, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	text, err := o.read(ctx, o.resolveGraph(i, q, project, d), sockets{doorID(i): d.Socket()})
	if err != nil {
		return a, o.stopped(ctx, r, d, err)
	}
	if a, err = readAnswer(text); err != nil {
		return a, err
	}
	if err := o.throughDoor(ctx, r, q, d, a); err != nil {
		return a, err
	}
	for _, note := range a.Notes {
		o.Note(fmt.Sprintf("%s: %s", r.Set, note))
	}
	for _, left := range a.Omitted {
		o.Note(fmt.Sprintf("%s: left out, since it is optional: %s: %s", r.Set, left.Requirement, left.Reason))
	}
	return a, o.complete(ctx, r, d, &a)
}

// read has the engine produce the answer, and returns it.
func (o Options) read(ctx context.Context, state llb.State, session ...session.Attachable) ([]byte, error) {
	logins := o.Logins
	if _, own, ok := logins.find(o.uv.URL); ok { // an engine only asks for that of the host
		logins = logins.Merge(Logins{hostOf(o.uv.URL): own})
	}
	files, err := solve.Read(ctx, o.Client, solve.ReadRequest{
		State: state, Names: []string{answerName}, Platform: o.Platform, Store: o.Store,
		Session: append(session, logins.Secrets()), Progress: o.Progress,
	})
	if err != nil {
		return nil, err
	}
	return files[0], nil
}
