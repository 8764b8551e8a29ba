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

// solve has the engine make the image. Files that were fetched stay cached, so that it
// pays to retry one that fails: solve looks for a package that its mirror has dropped in
// the snapshot archive, and waits out transient errors of an index.
func (j job) solve(ctx context.Context, e *engine.Engine, x *readback.Exports) (solved, error) {
	result, err := j.attempt(ctx, e, x)
	j.drawn = nil // the next attempt fetches from elsewhere
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
			_ = failure.Pause(ctx, time.Second<<n) // the next attempt reports a canceled context
		case isMirrors:
			n, lost = -1, lost+1
			if err = j.leaveMirror(d, reason, lost); err != nil {
				return result, err
			}
			j.note("%v: fetching it from where it was locked", reason)
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

// fetchRetries is how often a build is retried after a wheel that could not be fetched.
const fetchRetries = 2

// isWorthWaiting reports whether a retry may fetch the file. Wrong bytes may have been an
// error page; from a mirror they are another file.
func isWorthWaiting(reason error, n int, isMirrors bool) bool {
	isPassing := failure.KindOf(reason) == failure.Transient
	return isPassing && n < fetchRetries || n == 0 && !isMirrors && errors.Is(reason, uv.ErrBytes)
}

// mostLost is how many files a mirror may lack before it is no longer used: each costs an
// attempt.
const mostLost = 3

// leaveMirror has a file that the mirror has lost or replaced fetched from its locked
// address, and all files if the mirror fails or requires a login: only the lock's index
// must have them. Files from indexes that aren't configured come from the mirror or not
// at all.
func (j job) leaveMirror(d lock.Distribution, reason error, lost int) error {
	strange := j.python.Strange
	if failure.KindOf(reason) != failure.Failure || lost > mostLost {
		maps.DeleteFunc(j.python.Mirror.Has, func(sha256, _ string) bool { return !strange[sha256] })
	} else if err := j.python.Mirror.Forget(d.SHA256); err != nil {
		return err
	}
	if strange[d.SHA256] {
		err := fmt.Errorf("%w; the lock has it from an index that is not configured", reason)
		if failure.KindOf(err) == failure.Failure {
			err = failure.New(failure.Findings, err)
		}
		return failure.WithHint(err, "name an index that has it (--python-index, [[python.index]]), or run \"build lock\" to lock what yours has now")
	}
	return nil
}

// addresses returns the addresses for which a build may need logins.
func (j job) addresses() []string {
	list := slices.Collect(maps.Values(j.python.Mirror.Has))
	for _, d := range j.lock.Distributions {
		list = append(list, d.URL)
	}
	if address := j.lock.UV.URL; address != "" {
		list = append(list, address)
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
	client := fetch.New(fetch.Options{Logins: j.python.Logins.For, Attempts: 1}) // solve retries
	err = uv.Diagnose(ctx, client, d, err)
	if failure.KindOf(err) != failure.Usage { // no login was required
		return err
	}
	return failure.New(failure.Usage, errors.Join(err, notSet(j.python.Unset, d.URL)))
}

// notSet returns errors for the unset variables with the login for an address.
func notSet(unset []userinfo.Unset, address string) error {
	var problems []error
	for _, u := range unset {
		if host, _, _ := strings.Cut(u.Host, ":"); host == hostOf(address) {
			problems = append(problems, u.Err)
		}
	}
	return errors.Join(problems...)
}

// fromArchive retries a build that lacks a Debian package.
func (j job) fromArchive(ctx context.Context, e *engine.Engine, x *readback.Exports, err error) (solved, error) {
	err = j.reason(ctx, err)
	j.note("%v: trying Debian's snapshot archive", err)
	j.archive = true
	result, again := j.attempt(ctx, e, x)
	if again == nil {
		return result, nil
	}
	err = failure.New(failure.Transient, fmt.Errorf("%w; nor from Debian's snapshot archive: %w", err, again))
	hint := fmt.Sprintf("if the mirror has dropped the package, run \"build lock %s\" to lock its successor", j.dir)
	return result, failure.WithHint(err, hint)
}

// unfetched reports whether a build failed at a file that its mirror doesn't have. The
// error of a model has its own reason.
func unfetched(err error) bool {
	if _, ok := errors.AsType[*modelError](err); ok {
		return false
	}
	step, ok := errors.AsType[*solve.Error](err)
	return ok && step.URL != "" || debian.IsNotFound(err)
}

// reason asks the mirror itself what is wrong with a file. The engine hashes any response,
// so it reports a 404 page as a wrong hash.
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
	if j.drawn == nil {
		image, in, problem := j.draw(ctx, e)
		if problem != nil {
			return made, problem
		}
		j.drawn = &drawn{image, in}
	}
	image, in := j.drawn.image, j.drawn.in
	from, sent := j.sources(), make(chan *client.SolveStatus, 256)
	// An engine pushes layers of a cache from one repository to another without having them.
	if e.Local() && len(j.remote().Imports) == 0 {
		from.Send = func(s *client.SolveStatus) {
			select {
			case sent <- s:
			default: // a paused display doesn't hold up a push
			}
		}
	}
	x.Of(image, from)
	request := j.request(image, in)
	request.Cache.Exports, _ = request.Cache.Split() // the others once the image is complete
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
		request.NoCache = false // all steps have run
	}
	made.request = request
	return made, nil
}

// request returns the request for an image, without exports.
func (j job) request(image stages.Image, in stages.Input) solve.Request {
	return solve.Request{
		Image: image.Lean(), Sources: *j.allowed(in), Store: j.store, Models: j.models.Store(), Cache: j.remote(), NoCache: j.NoCache,
		Told:    filepath.Join(j.cacheDir, "told"),
		Session: []session.Attachable{j.logins(j.insecure()), j.secrets()},
	}
}

// sources returns where the layers are that are added to what the engine exports.
func (j job) sources() readback.Sources {
	from := readback.Sources{Stores: []content.Provider{j.store, j.models.Store()}, Registry: j.readRegistry(), Note: j.note, Known: j.known}
	for _, m := range j.lock.Models {
		if isPublished(m) {
			from.Published = append(from.Published, m.Published)
		}
	}
	return from
}

// run has an engine solve a request; sent says meanwhile how far pushes are.
func (j job) run(ctx context.Context, e *engine.Engine, r solve.Request, sent <-chan *client.SolveStatus) (result solve.Result, err error) {
	show := j.shown
	if show == nil {
		show = j.watch(j.work())
	}
	r.Progress = j.heard(show, sent)
	result, err = solve.Run(ctx, e.Client(), r)
	return result, e.Explain(ctx, err)
}
