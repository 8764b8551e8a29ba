package uv

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"lamina.build/internal/beneath"
	"lamina.build/internal/failure"
	"lamina.build/internal/fetch"
	"lamina.build/internal/humanize"
	"lamina.build/internal/resolve/door"
	"lamina.build/internal/resolve/reqfile"
	"lamina.build/lock"
)

// complete fills in what uv does not report about the files of an answer, and checks the
// rest against the indexes, since code of sdists ran next to uv. It reports all problems at
// once.
func (o Options) complete(ctx context.Context, r Request, d *door.Door, a *answer) error {
	c := completion{Options: o, request: r, door: d, answer: a, direct: r.direct(), silent: &sync.Map{}}
	list := a.all()
	problems := make([]error, len(list))
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(24)
	for i, dist := range list {
		group.Go(func() error {
			problems[i] = c.one(groupCtx, dist)
			return groupCtx.Err()
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for i, err := range problems {
		if err != nil {
			problems[i] = fmt.Errorf("%s%s: %s: %w", c.at(list[i]), r.Set, cmp.Or(fetch.Redact(list[i].URL), list[i].title()), err)
		}
	}
	var notes []string
	unknown := 0
	for _, dist := range list {
		notes = append(notes, dist.notes...)
		if dist.unknown {
			unknown++
		}
	}
	if unknown > 0 {
		notes = append(notes, fmt.Sprintf("%s: no reachable index confirms the sha256 of %s; a build checks it", r.Set, humanize.Count(unknown, "file")))
	}
	slices.Sort(notes)
	for _, note := range notes {
		o.Note(note)
	}
	return errors.Join(problems...)
}

// completion is the work on the files of one answer.
type completion struct {
	Options
	request Request
	door    *door.Door
	answer  *answer
	direct  map[string]string // projects of files named by address, by door.Key; "" where unknown
	silent  *sync.Map         // indexes that didn't answer
}

// at returns the line that requires a distribution, or another one that requires it.
func (c completion) at(d *distribution) string {
	for asking, more := map[string]bool{d.Name: true}, true; more; {
		for _, w := range c.lines() {
			if asking[w.Name] {
				return fmt.Sprintf("%s:%d: ", w.File, w.At)
			}
		}
		more = false
		for _, other := range c.answer.Distributions {
			isNew := other.wheel != nil && !asking[other.Name]
			if isNew && slices.ContainsFunc(other.wheel.Requires, func(name string) bool { return asking[name] }) {
				asking[other.Name], more = true, true
			}
		}
	}
	return ""
}

// lines returns the lines of the requirement files.
func (c completion) lines() []reqfile.Requirement {
	return slices.Concat(c.request.Files.Requirements, c.request.Files.Constraints)
}

// one completes a distribution within the time limit of a resolution: a server that sends a
// byte now and then doesn't count as stalled.
func (c completion) one(ctx context.Context, d *distribution) (err error) {
	if d.Hashes == nil {
		d.Hashes = map[string]string{}
	}
	for name, sum := range d.Hashes {
		d.Hashes[name] = strings.ToLower(sum)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, c.limit(), errSlow)
	defer cancel()
	switch {
	case d.Kind == kindGit:
		err = c.checkGit(d)
	case strings.HasPrefix(d.URL, "file://"):
		err = c.local(d)
	default:
		err = c.remote(ctx, d)
	}
	if err != nil && errors.Is(context.Cause(ctx), errSlow) {
		return failure.New(failure.Transient, fmt.Errorf("it took longer than %s", c.limit()))
	}
	if err != nil {
		return err
	}
	return c.checkHashes(d)
}

var errSlow = errors.New("it takes too long")

// remote completes a file on a server.
func (c completion) remote(ctx context.Context, d *distribution) error {
	d.URL, _, _ = strings.Cut(d.URL, "#")
	file, err := c.ofIndex(c.door.Guard(ctx, ""), d)
	if err != nil {
		return err
	}
	if err = c.promised(d, file); err != nil {
		return err
	}
	if file == nil && (c.request.Lock != "" || c.request.Project != "" && d.Index != "") {
		if err = c.vouched(c.door.Guard(ctx, ""), d); err != nil {
			return err
		}
	}
	if d.page, err = c.page(c.door.Guard(ctx, ""), d, file); err != nil {
		return fetch.Explain(err)
	}
	ctx = c.door.Guard(ctx, d.Index)
	if err := checkFile(d); err != nil {
		return err
	}
	if err := c.measure(ctx, d, file); err != nil {
		return fetch.Explain(err)
	}
	c.note(d, file)
	return nil
}

// gitUser matches a user without a password, which git doesn't send.
var gitUser = regexp.MustCompile(`^(git\+https?://)[^/:@]+@`)

// checkGit requires a commit of a repository that an engine can fetch. A requirement of
// another project may name one on a host in the request: the door leads to no other.
func (c completion) checkGit(d *distribution) error {
	address, err := c.Logins.overHTTPS(d.URL)
	if err != nil {
		return err
	}
	d.URL = gitUser.ReplaceAllString(address, "$1")
	rest, _, _ := strings.Cut(strings.TrimPrefix(d.URL, "git+"), "#")
	u, err := url.Parse(rest)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" {
		return failure.New(failure.Usage, fmt.Errorf("%q: only repositories at https:// and http:// addresses can be locked", d.URL))
	}
	for named := range c.direct {
		if key(hostOf(named)) == key(u.Host) {
			return nil
		}
	}
	return failure.New(failure.Usage, errors.New("no requirement names its host"))
}

// local reads a file next to the spec.
func (c completion) local(d *distribution) error {
	u, err := url.Parse(d.URL)
	if err != nil {
		return err
	}
	name, ok := strings.CutPrefix(u.Path, projectPath+"/")
	if !ok || !fs.ValidPath(name) {
		return failure.New(failure.Usage, fmt.Errorf("%s is outside the spec's directory", u.Path))
	}
	d.URL, d.File = "file:"+name, path.Base(name)
	if err = checkFile(d); err != nil {
		return err
	}
	data, err := beneath.ReadAtMost(c.Project, name, lock.LocalLimit)
	if err != nil {
		return err
	}
	d.Size = int64(len(data))
	if err = sum(bytes.NewReader(data), d, c.unsaid(d, nil)...); err != nil {
		return err
	}
	if d.Kind == kindWheel {
		d.wheel, err = readWheel(d, bytes.NewReader(data), d.Size)
	}
	return err
}

// measure finds out what is still unknown: the size, the hashes, the content of a wheel.
func (c completion) measure(ctx context.Context, d *distribution, said *door.File) error {
	if sum, size, ok := c.door.SHA256(d.URL); ok && d.Hashes["sha256"] == "" {
		d.Hashes["sha256"], d.Size = sum, size
	}
	unsaid := c.unsaid(d, said)
	if kept := c.kept(d); kept != nil && d.Size > 0 && unsaid == nil {
		d.wheel = kept
		return kept.checkTitle(d)
	}
	f, err := c.HTTP.Open(ctx, d.URL, cmp.Or(d.Size, door.BodyLimit))
	if err != nil {
		return err
	}
	defer f.Close()
	if d.Size > 0 && d.Size != f.Size() {
		return fmt.Errorf("it has %d bytes, but its index lists %d", f.Size(), d.Size)
	}
	d.Size = f.Size()
	if unsaid != nil {
		if err = sum(io.NewSectionReader(f, 0, f.Size()), d, unsaid...); err != nil {
			return err
		}
	}
	if d.Kind != kindWheel {
		return nil
	}
	if d.wheel, err = readWheel(d, f, f.Size()); err != nil {
		return err
	}
	return c.keep(d)
}
