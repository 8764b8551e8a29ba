package lamina

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/session"

	"lamina.build/internal/debian"
	"lamina.build/internal/engine"
	"lamina.build/internal/failure"
	"lamina.build/internal/fetch"
	"lamina.build/internal/resolve/userinfo"
	"lamina.build/internal/resolve/uv"
	"lamina.build/internal/solve"
	"lamina.build/internal/solve/readback"
	"lamina.build/lock"
	"lamina.build/stages"
)

// solve has the engine make the image. What is fetched already stays fetched,
// so that a file which does not come is worth another look: a package that its
// mirror has dropped is looked for in the archive of Debian's past, and a
// passing trouble of an index is waited out.
func (j job) solve(ctx context.Context, e *engine.Engine, x *readback.Exports) (solved, error) {
	result, err := j.attempt(ctx, e, x)
	for n, lost := 0, 0; ; n++ {
		d, ok := j.distributionOf(err)
		if !ok || ctx.Err() != nil {
			break
		}
		reason := j.diagnose(ctx, d, err)
		isMirrors := j.python.Mirror.Has[d.SHA256] == d.URL
		switch {
		case isWorthWaiting(reason, n, isMirrors):
			j.note("%v: trying again", reason)
			_ = failure.Pause(ctx, time.Second<<n) // the next attempt says what ended
		case isMirrors:
			n, lost = -1, lost+1
			if err = j.leaveMirror(d, reason, lost); err != nil {
				return result, err
			}
			j.note("%v: it is fetched from where it was locked", reason)
		default:
			return result, reason
		}
		result, err = j.attempt(ctx, e, x)
	}
	if !unfetched(err) || ctx.Err() != nil {
		return result, err
	}
	return j.fromArchive(ctx, e, x, err)
}

// fetchRetries is how often a build goes on after a wheel that did not come.
const fetchRetries = 2

// isWorthWaiting says whether a file may come the next time. Wrong bytes may have
// been a page that said why none came; a mirror's are another file.
func isWorthWaiting(reason error, n int, isMirrors bool) bool {
	isPassing := failure.KindOf(reason) == failure.Transient
	return isPassing && n < fetchRetries || n == 0 && !isMirrors && errors.Is(reason, uv.ErrBytes)
}

// mostLost is how many files a mirror may have lost before it is left for all:
// each costs an attempt.
const mostLost = 3

// leaveMirror has a file, which the mirror has lost or replaced, come from where it
// was locked; all files where the mirror is in trouble, or wants a login. Nobody has
// to have them but the index of the lock. Those that are from where nobody is named come
// from the mirror or not at all.
func (j job) leaveMirror(d lock.Distribution, reason error, lost int) error {
	strange := j.python.Strange
	if failure.KindOf(reason) != failure.Failure || lost > mostLost {
		maps.DeleteFunc(j.python.Mirror.Has, func(sha256, _ string) bool { return !strange[sha256] })
	} else if err := j.python.Mirror.Forget(d.SHA256); err != nil {
		return err
	}
	if strange[d.SHA256] {
		err := fmt.Errorf("%w; the lock has it from an index that nobody names", reason)
		if failure.KindOf(err) == failure.Failure {
			err = failure.New(failure.Findings, err)
		}
		return failure.WithHint(err, "name an index that has it (--python-index, [[python.index]]), or \"build lock\" takes what yours has now")
	}
	return nil
}

// addresses are those that a build may need logins for.
func (j job) addresses() []string {
	list := slices.Collect(maps.Values(j.python.Mirror.Has))
	for _, d := range j.lock.Distributions {
		list = append(list, d.URL)
	}
	for _, g := range j.spec.Git {
		list = append(list, g.URL)
	}
	return list
}

// distributionOf returns the Python distribution whose fetching failed.
func (j job) distributionOf(err error) (lock.Distribution, bool) {
	step, ok := errors.AsType[*solve.Error](err)
	if !ok || step.URL == "" {
		return lock.Distribution{}, false
	}
	for _, d := range append(slices.Clone(j.lock.Distributions), j.lock.UV.Wheel()) {
		if address, _ := d.Archive(); step.URL == cmp.Or(j.python.Mirror.Has[d.SHA256], address) {
			d.URL = step.URL
			return d, true
		}
	}
	return lock.Distribution{}, false
}

func (j job) diagnose(ctx context.Context, d lock.Distribution, err error) error {
	client := fetch.New(fetch.Options{Logins: j.python.Logins.For, Attempts: 1}) // solve tries again
	err = uv.Diagnose(ctx, client, d, err)
	if failure.KindOf(err) != failure.Usage { // nobody asked for a login
		return err
	}
	return failure.New(failure.Usage, errors.Join(err, notSet(j.python.Unset, d.URL)))
}

// notSet are the variables whose login the host of an address would want.
func notSet(unset []userinfo.Unset, address string) error {
	var problems []error
	for _, u := range unset {
		if host, _, _ := strings.Cut(u.Host, ":"); host == hostOf(address) {
			problems = append(problems, u.Err)
		}
	}
	return errors.Join(problems...)
}

// fromArchive tries a build again that lacks a Debian package.
func (j job) fromArchive(ctx context.Context, e *engine.Engine, x *readback.Exports, err error) (solved, error) {
	err = j.reason(ctx, err)
	j.note("%v: trying Debian's archive of its past", err)
	j.archive = true
	result, again := j.attempt(ctx, e, x)
	if again == nil {
		return result, nil
	}
	err = failure.New(failure.Transient, fmt.Errorf("%w; nor from the archive of Debian's past: %w", err, again))
	hint := fmt.Sprintf("if the mirror has dropped the package, \"build lock %s\" takes its successor", j.dir)
	return result, failure.WithHint(err, hint)
}

// unfetched says whether a build failed at a file that its mirror does not give.
// Why a model can't be had, its error says.
func unfetched(err error) bool {
	if _, ok := errors.AsType[*modelError](err); ok {
		return false
	}
	step, ok := errors.AsType[*solve.Error](err)
	return ok && step.URL != "" || debian.IsNotFound(err)
}

// reason asks the mirror itself what is wrong with a file. The engine hashes
// whatever a server answers, so that a page that says 404 is a wrong hash to it.
func (j job) reason(ctx context.Context, err error) error {
	step, ok := errors.AsType[*solve.Error](err)
	if !ok {
		return err
	}
	_, refused := debian.NewGetter("").Fetch(ctx, step.URL, 0)
	if status, ok := errors.AsType[*fetch.StatusError](refused); ok {
		return fmt.Errorf("%s: %w", step.Step, status)
	}
	return err
}

// solved is an image that an engine has made, and what it was drawn from.
type solved struct {
	solve.Result

	request solve.Request
	in      stages.Input
}

func (j job) attempt(ctx context.Context, e *engine.Engine, x *readback.Exports) (made solved, err error) {
	image, in, err := j.draw(ctx, e)
	if err != nil {
		return made, err
	}
	from, sent := j.sources(), make(chan *client.SolveStatus)
	if e.Near() {
		from.Send = func(ctx context.Context, s *client.SolveStatus) {
			select {
			case sent <- s:
			case <-ctx.Done():
			}
		}
	}
	x.Of(image, from)
	request := solve.Request{
		Image: image.Lean(), Sources: *j.allowed(in), Store: j.store, Models: j.models.Store(), Cache: j.remote(), NoCache: j.NoCache,
		Told:    filepath.Join(j.cacheDir, "told"),
		Session: []session.Attachable{j.logins(j.insecure()), j.secrets()},
	}
	request.Cache.Exports, _ = request.Cache.Split() // the others when the image is in its place
	made.in = in
	batches, err := x.Batches(ctx)
	if err != nil {
		return made, &pushError{err}
	}
	for n, batch := range batches {
		request.Exports = batch.Entries
		one, err := j.run(ctx, e, request, sent)
		if problem := x.SendError(); err != nil && problem != nil && ctx.Err() == nil {
			err = &pushError{problem}
		}
		if err != nil {
			return made, err
		}
		x.Answer(batch, one.Descriptor)
		if n == 0 {
			made.Result = one
		}
		request.NoCache = false // all is made
	}
	made.request = request
	return made, nil
}

// sources are where the layers are that are added to what the engine exports.
func (j job) sources() readback.Sources {
	from := readback.Sources{Stores: []content.Provider{j.store, j.models.Store()}, Registry: j.readRegistry(), Note: j.note}
	for _, m := range j.lock.Models {
		if isPublished(m) {
			from.Published = append(from.Published, m.Published)
		}
	}
	return from
}

// run has an engine solve a request; sent says meanwhile how far pushes are.
func (j job) run(ctx context.Context, e *engine.Engine, r solve.Request, sent <-chan *client.SolveStatus) (result solve.Result, err error) {
	r.Progress = j.heard(j.watch(j.work()), sent)
	result, err = solve.Run(ctx, e.Client(), r)
	return result, e.Explain(ctx, err)
}
