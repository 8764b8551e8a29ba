package python

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/moby/buildkit/client"
	bkllb "github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/session"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/cache"
	"lamina.build/internal/pack"
	"lamina.build/internal/requirements"
	"lamina.build/internal/solve"
	"lamina.build/llb"
	"lamina.build/lock"
)

// Options says what to resolve, and with what.
type Options struct {
	Client    *client.Client
	Builder   llb.State // the root file system that compiles, with pip in it
	Store     content.Store
	Platform  ocispec.Platform
	Namespace cache.Namespace
	Project   fs.FS // the folder of the spec, for the wheels that lie in it
	Requests  []Request
	Index     string // of all that no index is named for; [DefaultIndex] where empty
	Logins    Logins
	Proxy     bkllb.ProxyEnv
	Trusted   []byte // certificates of authorities, PEM; those that the builder has where empty
	Progress  func(context.Context, chan *client.SolveStatus) error
}

// Resolve puts into l what answers the requests. What is wrong with them is
// reported for all sets at once.
func Resolve(ctx context.Context, o Options, l *lock.Lock) error {
	if o.Index == "" {
		o.Index = DefaultIndex
	}
	questions, err := o.questions()
	if err != nil {
		return err
	}
	answers, faults, err := o.answers(ctx, questions, o.hosts())
	if err != nil {
		return fmt.Errorf("resolving Python requirements: %w", err)
	}
	if err := errors.Join(faults...); err != nil {
		return err
	}
	if err := checkNames(o.Requests, answers); err != nil {
		return err
	}
	fill(l, o.Requests, answers)
	return checkBuilders(*l, o.Requests)
}

// answers has the questions answered with the logins of some hosts. Where
// another host asks for a login that there is, it gets it in a second try.
func (o Options) answers(ctx context.Context, list []question, hosts []string) ([]answer, []error, error) {
	texts, err := o.run(ctx, list, o.Logins.Only(hosts))
	if err != nil {
		return nil, nil, err
	}
	answers, faults := make([]answer, len(texts)), make([]error, len(texts))
	more := slices.Clone(hosts)
	for i, text := range texts {
		answers[i], faults[i] = list[i].read(o.Requests[i].Set, text)
		if f := answers[i].Fault; f != nil {
			more = append(more, f.Host)
		}
	}
	if len(o.Logins.Only(more)) > len(o.Logins.Only(hosts)) {
		return o.answers(ctx, list, more)
	}
	return answers, faults, nil
}

func (o Options) questions() ([]question, error) {
	list, faults := make([]question, len(o.Requests)), make([]error, len(o.Requests))
	for i, r := range o.Requests {
		list[i], faults[i] = r.ask(o.Index)
	}
	return list, errors.Join(faults...)
}

// run has the engine answer the questions.
func (o Options) run(ctx context.Context, list []question, logins Logins) ([][]byte, error) {
	project, err := o.packProject(ctx)
	if err != nil {
		return nil, err
	}
	states, err := o.graph(list, project)
	if err != nil {
		return nil, err
	}
	files := make([]llb.File, len(states))
	names := make([]string, len(states))
	for i, s := range states {
		names[i] = answerName(i)
		files[i] = llb.File{From: s, Path: "/" + names[i]}
	}
	return solve.Read(ctx, o.Client, solve.ReadRequest{
		State: llb.Gather("answers of pip", files), Names: names, Platform: o.Platform, Store: o.Store,
		Session:  []session.Attachable{logins.Secrets()},
		Progress: o.Progress,
	})
}

func answerName(i int) string { return fmt.Sprintf("answer-%03d.json", i) }

// packProject packs the wheels of the project that requirements name, and the
// folders of wheels, as one layer; nil where there are none.
func (o Options) packProject(ctx context.Context) (*llb.Layer, error) {
	var include []string
	for _, r := range o.Requests {
		for _, w := range slices.Concat(r.Files.Requirements, r.Files.Constraints) {
			if w.Kind == requirements.Path {
				include = append(include, w.Path)
			}
		}
		for _, l := range r.Files.FindLinks {
			if !strings.Contains(l, "://") {
				include = append(include, path.Join(l, "*.whl"), path.Join(l, "*.tar.gz"), path.Join(l, "*.zip"))
			}
		}
	}
	if len(include) == 0 {
		return nil, nil
	}
	slices.Sort(include)
	layer, err := pack.Tree(ctx, o.Store, pack.TreeOptions{
		Name: "wheels of the project", FS: o.Project, Target: "/", Include: slices.Compact(include),
		Compression: pack.Uncompressed, Platform: o.Platform,
	})
	if errors.Is(err, pack.ErrEmpty) {
		return nil, nil
	}
	return &layer, err
}
