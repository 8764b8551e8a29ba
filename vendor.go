package lamina

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/moby/buildkit/session"
	"github.com/opencontainers/go-digest"

	"lamina.build/internal/debian"
	"lamina.build/internal/engine"
	"lamina.build/internal/failure"
	"lamina.build/internal/fetch"
	"lamina.build/internal/humanize"
	"lamina.build/internal/layout"
	"lamina.build/internal/solve"
	"lamina.build/internal/vendorstore"
	"lamina.build/internal/weights"
	"lamina.build/llb"
	"lamina.build/lock"
)

// VendorOptions are options for vendoring.
type VendorOptions struct {
	NoModels bool // leave out the models
}

// Vendored counts what a directory has of a lock.
type Vendored struct {
	Files   int // packages, distributions and git trees
	Models  int
	Fetched int // files that it didn't have before
}

// Vendor fetches everything that the lock and the spec name into a directory, an OCI layout,
// from which [Options.Mirror] then builds. Intact files stay; after an error the next call
// resumes with the rest.
func (p *Project) Vendor(ctx context.Context, dir string, o VendorOptions) (v Vendored, err error) {
	if p.o.Offline {
		return v, failure.New(failure.Usage, errors.New("vendoring fetches files, which can't be done offline"))
	}
	err = p.do(ctx, Build{}, func(jobs []job) (err error) {
		j := jobs[0]
		for _, other := range jobs[1:] {
			maps.Copy(j.python.Mirror.Has, other.python.Mirror.Has)
		}
		sources, err := j.vendorable()
		if err != nil {
			return err
		}
		open := sync.OnceValues(func() (*engine.Engine, error) { return j.openEngine(ctx, engine.Need{Platform: j.on}) })
		if sources, err = j.withSubmodules(ctx, open, sources); err != nil {
			return err
		}
		store, err := p.openStoreOf(ctx, dir, true)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, store.Close()) }()
		j.note("vendoring %d files, %s", len(sources), humanize.Size(bytesOf(sources, func(s vendorable) int64 { return s.Size })))
		v.Files = len(sources)
		v.Fetched, err = store.Fill(ctx, j.spec.Name, plain(sources), j.fetchSources(open, sources))
		return err
	})
	if err != nil || o.NoModels {
		return v, err
	}
	locked, err := p.models()
	if isRegistry(dir) && len(locked.lock.Models) > 0 {
		p.note("not vendoring the models; run \"build model push\" to publish them")
		return v, err
	}
	for i := range locked.lock.Models {
		if err == nil {
			_, err = p.pull(ctx, locked.lock, i, dir)
			v.Models++
		}
	}
	return v, err
}

// CheckVendor reads everything that a directory has of the lock. Missing or altered files
// are an error of the kind [Findings].
func (p *Project) CheckVendor(ctx context.Context, dir string, o VendorOptions) (v Vendored, err error) {
	locked, err := p.models()
	if err != nil {
		return v, err
	}
	sources, err := job{Project: p, lock: locked.lock, whole: locked.lock}.vendorable()
	if err != nil {
		return v, err
	}
	store, err := p.openStoreOf(ctx, dir, false)
	if err != nil {
		return v, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	v.Files = len(sources)
	problems, err := store.Check(ctx, plain(sources))
	if err == nil && !o.NoModels && store.Layout() != nil {
		for _, m := range locked.lock.Models {
			problems = append(problems, p.checkVendored(ctx, m, store.Layout()))
		}
		v.Models = len(locked.lock.Models)
	}
	if err == nil {
		err = failure.New(failure.Findings, errors.Join(problems...))
		err = failure.WithHint(err, fmt.Sprintf("run \"build vendor %s\" to fetch it again", dir))
	}
	return v, explain(ctx, err)
}

// checkVendored reads and verifies a model.
func (p *Project) checkVendored(ctx context.Context, m lock.Model, l *layout.Layout) error {
	work, err := weights.NewJob(m)
	if err != nil {
		return err
	}
	_, ok, err := work.Find(ctx, l)
	if err == nil && !ok {
		err = fmt.Errorf("model %s is missing", m.Name())
	}
	if err != nil {
		return err
	}
	return work.Show(ctx, "verifying "+m.Name(), p.watch(Work{Task: Moving}), func(ctx context.Context, work weights.Job) error { return work.VerifyPulled(ctx, l) })
}

// vendorable is a source with its addresses.
type vendorable struct {
	vendorstore.Source

	addresses []string // of a file, the best first
	remote    string   // of a git tree
}

func plain(list []vendorable) []vendorstore.Source {
	sources := make([]vendorstore.Source, len(list))
	for i, s := range list {
		sources[i] = s.Source
	}
	return sources
}

// vendorable returns all files and trees that the lock and all variants of the spec name,
// for all platforms.
func (j job) vendorable() (list []vendorable, err error) {
	seen := map[string]bool{}
	add := func(s vendorable) {
		if !seen[s.Key()] {
			list = append(list, s)
		}
		seen[s.Key()] = true
	}
	tree := func(remote, commit string) {
		name := llb.Tree{Remote: remote, Commit: commit}.Name()
		add(vendorable{Source: vendorstore.Source{Name: name, Commit: commit}, remote: remote})
	}
	mirrors, err := j.mirrors(j.spec.Debian.Mirror, j.lock)
	if err != nil {
		return nil, err
	}
	for _, one := range j.whole.Each() {
		archive := debian.Snapshot(one.Created())
		for _, p := range one.Packages {
			addresses := []string{llb.Mirrors(mirrors).URL(p)}
			if archive[p.Repository] != "" {
				addresses = append(addresses, llb.Mirrors(archive).URL(p))
			}
			add(vendorable{Source: vendorstore.Source{Name: p.FileName(), Digest: sha256Of(p.SHA256), Size: p.Size}, addresses: addresses})
		}
		for _, d := range append(slices.Clone(one.Distributions), one.UV.Wheel()) {
			remote, commit, _, isGit := d.Git()
			_, isLocal := d.Local()
			switch {
			case isGit:
				tree(remote, commit)
			case !isLocal && d.SHA256 != "":
				address, _ := d.Archive()
				addresses := slices.DeleteFunc([]string{j.python.Mirror.Has[d.SHA256], address}, func(a string) bool { return a == "" })
				add(vendorable{Source: vendorstore.Source{Name: d.File, Digest: sha256Of(d.SHA256), Size: d.Size}, addresses: addresses})
			}
		}
	}
	for _, variant := range j.Variants() {
		s, err := j.file.Variant(variant)
		if err != nil {
			return nil, err
		}
		for _, g := range s.Git {
			tree(g.URL, g.Commit)
		}
	}
	return list, nil
}

func sha256Of(sum string) digest.Digest { return digest.NewDigestFromEncoded(digest.SHA256, sum) }

// withSubmodules adds the submodules of git trees, which bundles don't include.
func (j job) withSubmodules(ctx context.Context, open func() (*engine.Engine, error), sources []vendorable) ([]vendorable, error) {
	all := slices.Clone(sources)
	seen := map[string]bool{}
	for _, s := range sources {
		seen[s.Commit] = true
	}
	named := j.gitHosts(sources)
	for i := range sources {
		if sources[i].Commit == "" {
			continue
		}
		e, err := open()
		if err != nil {
			return nil, err
		}
		err = j.walkSubmodules(ctx, e, sources[i].remote, sources[i].Commit, func(_ context.Context, m llb.Submodule) error {
			if problem := checkHost(m, named); problem != nil {
				return problem
			}
			if !seen[m.Commit] {
				name := llb.Tree{Remote: m.Remote, Commit: m.Commit}.Name()
				all = append(all, vendorable{Source: vendorstore.Source{Name: name, Commit: m.Commit}, remote: m.Remote})
			}
			seen[m.Commit] = true
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("looking for the submodules of %s: %w", sources[i].Name, err)
		}
	}
	for i, s := range all {
		for _, m := range j.submodules[s.Commit] {
			all[i].Submodules = append(all[i].Submodules, m.Commit)
		}
	}
	return all, nil
}

// gitHosts returns the origins of git trees, and of all addresses in the requirement files that
// a lock answers.
func (j job) gitHosts(sources []vendorable) map[string]bool {
	named := map[string]bool{}
	for _, s := range sources {
		named[originOf(s.remote)] = true
	}
	for _, one := range j.whole.Each() {
		for _, request := range one.Python {
			for _, line := range request.Lines {
				for _, address := range webAddress.FindAllString(line, -1) {
					named[originOf(address)] = true
				}
			}
		}
	}
	delete(named, "")
	return named
}

var webAddress = regexp.MustCompile(`https?://[^\s"'<>]+`)

// originOf returns the scheme and the host of an address, "" if it is none of the web.
func originOf(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" {
		return ""
	}
	return u.Scheme + "://" + strings.ToLower(u.Host)
}

// checkHost refuses a submodule on a host that nothing of the project's own names: the tree of
// somebody else must not have an engine ask any server that it can reach.
func checkHost(m llb.Submodule, named map[string]bool) error {
	if named[originOf(m.Remote)] {
		return nil
	}
	err := failure.New(failure.Usage, fmt.Errorf("its submodule %q is at %s, on a host that neither its tree's address nor the spec names", m.Path, fetch.Redact(m.Remote)))
	return failure.WithHint(err, "if that host may be asked, name the repository in a [[git]] block, or in a constraint: NAME @ git+https://…")
}

// fetchSources fetches files itself, and git trees through an engine.
func (j job) fetchSources(open func() (*engine.Engine, error), sources []vendorable) func(context.Context, vendorstore.Source, io.Writer) error {
	known := map[string]vendorable{}
	for _, s := range sources {
		known[s.Key()] = s
	}
	getter := &debian.Getter{HTTP: fetch.New(fetch.Options{Logins: j.python.Logins.For})}
	return func(ctx context.Context, source vendorstore.Source, w io.Writer) error {
		s := known[source.Key()]
		if s.Commit != "" {
			e, err := open()
			if err != nil {
				return err
			}
			return j.bundle(ctx, e, s, w)
		}
		var err error
		for _, address := range s.addresses {
			if err = copyFrom(ctx, getter, address, w, s.Size); !debian.IsNotFound(err) {
				break
			}
		}
		return fetch.Explain(err)
	}
}

// copyFrom fetches a file, and at most one byte more than its size.
func copyFrom(ctx context.Context, g *debian.Getter, address string, w io.Writer, size int64) error {
	body, err := g.Open(ctx, address)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, io.LimitReader(body, size+1))
	return errors.Join(err, body.Close())
}

// bundle has an engine pack a git tree without its submodules, from which the commit is
// unpacked by its hash.
func (j job) bundle(ctx context.Context, e *engine.Engine, s vendorable, w io.Writer) error {
	tree := llb.Bundle(s.remote, s.Commit)
	request := solve.ReadRequest{
		State: tree, Names: []string{llb.BundleName}, Platform: j.platform(), Store: j.store, Sources: &solve.Sources{Named: []llb.State{tree}},
		Session: []session.Attachable{j.secrets()}, Progress: j.watch(j.work()),
	}
	return e.Explain(ctx, solve.Copy(ctx, e.Client(), request, w))
}
