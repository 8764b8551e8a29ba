package uv

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"lamina.build/internal/failure"
	"lamina.build/internal/fetch"
	"lamina.build/internal/resolve/door"
	"lamina.build/internal/resolve/requirements"
	"lamina.build/lock"
)

// complete fills in what uv does not say of the files of an answer, and holds
// what it says against what the indexes say: code of sdists ran beside it. All
// faults are reported at once.
func (o Options) complete(ctx context.Context, r Request, d *door.Door, a *answer) error {
	c := completion{Options: o, request: r, door: d, answer: a, direct: r.direct(o.Project)}
	list := a.all()
	faults := make([]error, len(list))
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(24)
	for i, dist := range list {
		group.Go(func() error {
			faults[i] = c.one(groupCtx, dist)
			return groupCtx.Err()
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for i, err := range faults {
		if err != nil {
			faults[i] = fmt.Errorf("%s%s: %s: %w", c.at(list[i]), r.Set, cmp.Or(fetch.Redact(list[i].URL), list[i].title()), err)
		}
	}
	var notes []string
	for _, dist := range list {
		notes = append(notes, dist.notes...)
	}
	slices.Sort(notes)
	for _, note := range notes {
		o.Note(note)
	}
	return errors.Join(faults...)
}

// completion is the work on the files of one answer.
type completion struct {
	Options
	request Request
	door    *door.Door
	answer  *answer
	direct  map[string]string // the projects of files that are named by their addresses, by door.Key; "" where none is said
}

// at is where a distribution is asked for, or something that a wheel requires it for.
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

// lines are those of the requirement files.
func (c completion) lines() []requirements.Requirement {
	return slices.Concat(c.request.Files.Requirements, c.request.Files.Constraints)
}

func (c completion) one(ctx context.Context, d *distribution) (err error) {
	if d.Hashes == nil {
		d.Hashes = map[string]string{}
	}
	switch {
	case d.Kind == kindGit:
		err = c.checkGit(d)
	case strings.HasPrefix(d.URL, "file://"):
		err = c.local(d)
	default:
		err = c.remote(ctx, d)
	}
	if err != nil {
		return err
	}
	return c.checkHashes(d)
}

// remote completes a file of a server.
func (c completion) remote(ctx context.Context, d *distribution) error {
	d.URL, _, _ = strings.Cut(d.URL, "#")
	file, err := c.ofIndex(c.door.Guard(ctx, ""), d)
	if err != nil {
		return err
	}
	if err := c.promised(d, file); err != nil {
		return err
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

// checkGit wants a commit of a repository that an engine can fetch. A requirement of
// others may name one, on a host that the request names: the door leads to no other.
func (c completion) checkGit(d *distribution) error {
	address, err := c.Logins.overHTTPS(d.URL)
	if err != nil {
		return err
	}
	d.URL = address
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

// local reads a file that lies beside the spec.
func (c completion) local(d *distribution) error {
	u, err := url.Parse(d.URL)
	if err != nil {
		return err
	}
	name, ok := strings.CutPrefix(u.Path, projectPath+"/")
	if !ok || !fs.ValidPath(name) {
		return failure.New(failure.Usage, fmt.Errorf("%s lies outside of the spec's folder", u.Path))
	}
	d.URL, d.File = "file:"+name, path.Base(name)
	if err = checkFile(d); err != nil {
		return err
	}
	data, err := fs.ReadFile(c.Project, name)
	if err != nil {
		return failure.New(failure.Usage, err)
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

// ofIndex returns what an index says of a file; nil for one that is asked for by its
// address. An index whose page didn't pass the door, since uv had kept it, is asked here.
func (c completion) ofIndex(ctx context.Context, d *distribution) (*door.File, error) {
	indexes := c.request.serving(d.Name, c.Indexes)
	isServing := func(index string) bool {
		return slices.ContainsFunc(indexes, func(url string) bool { return strings.TrimRight(url, "/") == strings.TrimRight(index, "/") })
	}
	f, ok := c.door.File(d.URL)
	if ok && (f.Project == d.Name && isServing(f.Index) || f.Project == "" && isFileOf(f.Name, d)) {
		return &f, nil
	}
	if name, ok := c.direct[door.Key(d.URL)]; ok && (name == "" || name == d.Name) {
		return nil, nil
	}
	for _, e := range c.Before.Distributions {
		if e.Name == d.Name && e.URL == d.URL && e.SHA256 != "" && e.SHA256 == d.Hashes["sha256"] && e.Index != "" {
			return &door.File{Index: e.Index, URL: e.URL, Name: e.File, Hashes: map[string]string{"sha256": e.SHA256}, Size: e.Size}, nil
		}
	}
	return c.asked(ctx, d, indexes)
}

// isFileOf says whether the name of a file is that of a project's.
func isFileOf(file string, d *distribution) bool {
	rest, ok := strings.CutPrefix(normal(file), d.Name+"-")
	return ok && strings.IndexAny(rest, "0123456789v") == 0
}

// checkFile wants a name that a lock can have, and a wheel's of its project.
func checkFile(d *distribution) error {
	isWheel := strings.HasSuffix(d.File, ".whl")
	if lock.IsFileName(d.File) && isWheel == (d.Kind == kindWheel) && (!isWheel || isFileOf(d.File, d)) {
		return nil
	}
	return failure.New(failure.Usage, fmt.Errorf("%q can't be the name of %s's %s", d.File, d.Name, d.Kind))
}

// asked asks the indexes that may name a file. One that can't be asked matters
// where no other names it.
func (c completion) asked(ctx context.Context, d *distribution, indexes []string) (*door.File, error) {
	var failed error
	for _, index := range indexes {
		files, err := door.ReadProject(ctx, c.HTTP, index, d.Name)
		if f, ok := files[door.Key(d.URL)]; ok {
			f.Index = index
			return &f, nil
		}
		failed = cmp.Or(failed, unlessMissing(err))
	}
	for _, link := range c.request.links() {
		files, err := door.ReadPage(ctx, c.HTTP, link)
		if f, ok := files[door.Key(d.URL)]; ok && isFileOf(f.Name, d) {
			f.Index = link
			return &f, nil
		}
		failed = cmp.Or(failed, unlessMissing(err))
	}
	if failed == nil {
		failed = failure.New(failure.Usage, errors.New("no index names this file, nor does a requirement"))
	}
	return nil, fetch.Explain(failed)
}

// unlessMissing leaves out the error of an index that doesn't have a project.
func unlessMissing(err error) error {
	if status, ok := errors.AsType[*fetch.StatusError](err); ok && status.Code == http.StatusNotFound {
		return nil
	}
	return err
}

// direct are the files that a request names by their addresses.
func (r Request) direct(project fs.FS) map[string]string {
	named := map[string]string{}
	for _, text := range r.named(project) {
		for _, found := range address.FindAllString(text, -1) {
			named[door.Key(found)] = ""
		}
	}
	for _, w := range slices.Concat(r.Files.Requirements, r.Files.Constraints) {
		named[door.Key(w.URL)] = w.Name
	}
	return named
}

// serving are the indexes that may serve a project.
func (r Request) serving(project string, where Indexes) []string {
	var list []string
	for _, i := range r.Indexes {
		if slices.Contains(i.Packages, project) {
			list = append(list, i.URL)
		}
	}
	own, further := r.own(where)
	if len(list) > 0 || own == "" {
		return list
	}
	return slices.Concat(further, []string{own}, r.uses.urls)
}

// promised holds what uv says of a file against what its index does.
func (completion) promised(d *distribution, f *door.File) error {
	if f == nil {
		return nil
	}
	d.Index = f.Index
	for name, want := range f.Hashes {
		if got, ok := d.Hashes[name]; ok && !strings.EqualFold(got, want) {
			return fmt.Errorf("%s has %s %s for it, and uv says %s", f.Index, name, want, got)
		}
		d.Hashes[name] = strings.ToLower(want)
	}
	d.Size = cmp.Or(f.Size, d.Size)
	d.File = f.Name
	return nil
}

// measure finds out what nobody said: the size, the hashes, what is in a wheel.
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
		return fmt.Errorf("it has %d bytes, and its index says %d", f.Size(), d.Size)
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

// sum reads a file whole for its sha256 and further hashes, and checks what is
// promised of it.
func sum(file io.Reader, d *distribution, further ...string) error {
	sums := map[string]hash.Hash{}
	var writers []io.Writer
	for _, name := range slices.Concat(slices.Collect(maps.Keys(d.Hashes)), further, []string{"sha256"}) {
		if h := door.NewHash(name); h != nil && sums[name] == nil {
			sums[name] = h
			writers = append(writers, h)
		}
	}
	if _, err := io.Copy(io.MultiWriter(writers...), file); err != nil {
		return err
	}
	for name, h := range sums {
		got := hex.EncodeToString(h.Sum(nil))
		if want, ok := d.Hashes[name]; ok && !strings.EqualFold(got, want) {
			return failure.New(failure.Usage, fmt.Errorf("its %s is %s, and %s is promised", name, got, want))
		}
		d.Hashes[name] = got
	}
	return nil
}

// wanted are the hashes that lines have for a file. They are about the image's own:
// a build may take another version of a project.
func (c completion) wanted(d *distribution) (list []string) {
	if !slices.Contains(c.answer.Distributions, d) {
		return nil
	}
	for _, w := range c.lines() {
		if w.Name == d.Name || w.URL != "" && door.Key(w.URL) == door.Key(d.URL) || w.Path != "" && "file:"+w.Path == d.URL {
			list = append(list, w.Hashes...)
			if found := fragmentHash.FindStringSubmatch(w.Line); found != nil {
				list = append(list, found[1]+":"+found[2])
			}
		}
	}
	return list
}

// fragmentHash is a hash in an address, as indexes and pip write it.
var fragmentHash = regexp.MustCompile(`[#&](md5|sha1|sha224|sha256|sha384|sha512|blake2b)=([^&\s]*)`)

// unsaid are the algorithms of hashes that are needed, and that no index says.
func (c completion) unsaid(d *distribution, said *door.File) (names []string) {
	if d.Hashes["sha256"] == "" {
		names = append(names, "sha256")
	}
	for _, want := range c.wanted(d) {
		name, _, _ := strings.Cut(want, ":")
		if name != "sha256" && (said == nil || said.Hashes[name] == "") {
			names = append(names, name)
		}
	}
	return names
}

// checkHashes holds a file against the --hash options of its lines, of which
// one must fit (https://pip.pypa.io/en/stable/topics/secure-installs/).
func (c completion) checkHashes(d *distribution) error {
	wanted := c.wanted(d)
	fits := func(want string) bool {
		name, sum, _ := strings.Cut(want, ":")
		return strings.EqualFold(d.Hashes[name], sum)
	}
	switch {
	case len(wanted) > 0 && !slices.ContainsFunc(wanted, fits):
		err := fmt.Errorf("its sha256 is %s, which none of the %d --hash options of its line has", d.Hashes["sha256"], len(wanted))
		return failure.WithHint(failure.New(failure.Usage, err), fmt.Sprintf("the file that fits this platform is %s: add --hash=sha256:%s if that is the right one", d.File, d.Hashes["sha256"]))
	case len(wanted) == 0 && slices.Contains(c.request.Files.Options, "--require-hashes") && slices.Contains(c.answer.Distributions, d):
		return failure.New(failure.Usage, errors.New("--require-hashes wants a --hash for everything, and no line has one for this"))
	}
	return nil
}

// note tells what is odd about a file and no fault.
func (c completion) note(d *distribution, f *door.File) {
	if f == nil {
		return
	}
	if f.Yanked {
		reason := strings.TrimSuffix(": "+f.YankedReason, ": ")
		d.notes = append(d.notes, fmt.Sprintf("%s: %s was yanked from its index%s", c.request.Set, d.title(), reason))
	}
	if sum := f.MetadataHashes["sha256"]; d.wheel != nil && sum != "" && sum != d.wheel.Metadata {
		d.notes = append(d.notes, fmt.Sprintf("%s: what the index says of the requirements of %s differs from the METADATA in its wheel", c.request.Set, d.title()))
	}
}
