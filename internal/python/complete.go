package python

import (
	"bytes"
	"cmp"
	"context"
	"crypto"
	_ "crypto/md5"  //nolint:gosec // a hash that requirement files name
	_ "crypto/sha1" //nolint:gosec // another one
	_ "crypto/sha256"
	_ "crypto/sha512"
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

	"lamina.build/internal/door"
	"lamina.build/internal/fault"
	"lamina.build/internal/fetch"
	"lamina.build/internal/requirements"
)

// complete fills in what uv does not say of the files of an answer, and holds
// what it says against what the indexes say: code of sdists ran beside it. All
// faults are reported at once.
func (o Options) complete(ctx context.Context, r Request, d *door.Door, a *answer) error {
	c := completion{Options: o, request: r, door: d, answer: a, named: r.named(o.Project), notes: make(chan string, 2*len(a.all()))}
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
			faults[i] = fmt.Errorf("%s%s: %s: %w", c.at(list[i]), r.Set, cmp.Or(list[i].URL, list[i].title()), err)
		}
	}
	close(c.notes)
	var notes []string
	for note := range c.notes {
		notes = append(notes, note)
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
	named   []string    // texts that name files by their addresses
	notes   chan string // has room for all of them
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

func (c completion) one(ctx context.Context, d *distribution) error {
	switch {
	case d.Kind == kindGit:
		return c.checkGit(d)
	case strings.HasPrefix(d.URL, "file://"):
		return c.local(d)
	}
	d.URL, _, _ = strings.Cut(d.URL, "#")
	if d.Hashes == nil {
		d.Hashes = map[string]string{}
	}
	file, err := c.ofIndex(c.door.Guard(ctx, ""), d)
	if err != nil {
		return err
	}
	if err := c.promised(d, file); err != nil {
		return err
	}
	ctx = c.door.Guard(ctx, d.Index)
	if err := c.measure(ctx, d); err != nil {
		return fetch.Explain(err)
	}
	if err := c.checkHashes(ctx, d); err != nil {
		return err
	}
	c.note(d, file)
	return nil
}

// checkGit wants a commit of a repository that an engine can fetch.
func (c completion) checkGit(d *distribution) error {
	address, err := c.Logins.overHTTPS(d.URL)
	if err != nil {
		return err
	}
	d.URL = address
	rest, _, _ := strings.Cut(strings.TrimPrefix(d.URL, "git+"), "#")
	u, err := url.Parse(rest)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" {
		return fault.New(fault.Usage, fmt.Errorf("%q: only repositories at https:// and http:// addresses can be locked", d.URL))
	}
	return nil
}

// local reads a file that lies beside the spec.
func (c completion) local(d *distribution) error {
	u, err := url.Parse(d.URL)
	if err != nil {
		return err
	}
	name, ok := strings.CutPrefix(u.Path, projectPath+"/")
	if !ok || !fs.ValidPath(name) {
		return fault.New(fault.Usage, fmt.Errorf("%s lies outside of the spec's folder", u.Path))
	}
	d.URL, d.File = "file:"+name, path.Base(name)
	data, err := fs.ReadFile(c.Project, name)
	if err != nil {
		return fault.New(fault.Usage, err)
	}
	d.Size = int64(len(data))
	if err = checkSums(d, data); err != nil {
		return err
	}
	if d.Kind == kindWheel {
		d.wheel, err = readWheel(d, bytes.NewReader(data), d.Size)
	}
	return err
}

// checkSums holds a file's own hashes against those that are promised, and adds
// its sha256.
func checkSums(d *distribution, data []byte) error {
	sums := map[string]string{}
	for _, name := range append(slices.Collect(maps.Keys(d.Hashes)), "sha256") {
		if h, ok := hashOf(name); ok {
			_, _ = h.Write(data)
			sums[name] = hex.EncodeToString(h.Sum(nil))
		}
	}
	for name, want := range d.Hashes {
		if got, ok := sums[name]; ok && !strings.EqualFold(got, want) {
			return fault.New(fault.Usage, fmt.Errorf("its %s is %s, and %s is promised", name, got, want))
		}
	}
	d.Hashes = map[string]string{"sha256": sums["sha256"]}
	return nil
}

// ofIndex returns what an index says of a file; nil for a file that none names.
// An index whose page didn't pass the door, since uv had kept it, is asked here.
func (c completion) ofIndex(ctx context.Context, d *distribution) (*door.File, error) {
	if f, ok := c.door.File(d.URL); ok {
		return &f, nil
	}
	if c.isDirect(d) {
		return nil, nil
	}
	for _, e := range c.Before.Distributions {
		if e.URL == d.URL && e.SHA256 != "" && e.SHA256 == d.Hashes["sha256"] && e.Index != "" {
			return &door.File{Index: e.Index, URL: e.URL, Name: e.File, Hashes: map[string]string{"sha256": e.SHA256}, Size: e.Size}, nil
		}
	}
	f, err := c.asked(ctx, d)
	if f != nil || err != nil {
		return f, err
	}
	if c.request.Lock != "" || c.request.Project != "" {
		return nil, nil // the lock of the user names it
	}
	return nil, fault.New(fault.Usage, errors.New("no index names this file, nor does a requirement"))
}

// asked asks the indexes that may name a file. One that can't be asked matters
// where no other names it.
func (c completion) asked(ctx context.Context, d *distribution) (*door.File, error) {
	var failed error
	for _, index := range c.request.serving(d.Name, c.Indexes) {
		files, err := c.page(ctx, index, d.Name)
		if f, ok := files[d.URL]; ok {
			f.Index = index
			return &f, nil
		}
		failed = cmp.Or(failed, unlessMissing(err))
	}
	for _, link := range c.request.links() {
		files, err := door.ReadPage(ctx, c.HTTP, link)
		if f, ok := files[d.URL]; ok {
			f.Index = link
			return &f, nil
		}
		failed = cmp.Or(failed, unlessMissing(err))
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

// isDirect says whether the spec names the file by its address.
func (c completion) isDirect(d *distribution) bool {
	if slices.ContainsFunc(c.lines(), func(w requirements.Requirement) bool { return w.URL == d.URL }) {
		return true
	}
	return slices.ContainsFunc(c.named, func(text string) bool { return strings.Contains(text, d.URL) })
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

// page asks an index for the files of a project.
func (o Options) page(ctx context.Context, index, project string) (map[string]door.File, error) {
	address := strings.TrimRight(index, "/") + "/" + project + "/"
	return door.ReadPage(ctx, o.HTTP, address)
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
	d.File = cmp.Or(d.File, f.Name)
	return nil
}

// measure finds out what nobody said: the size, the sha256, what is in a wheel.
func (c completion) measure(ctx context.Context, d *distribution) error {
	if sum, size, ok := c.door.SHA256(d.URL); ok && d.Hashes["sha256"] == "" {
		d.Hashes["sha256"], d.Size = sum, size
	}
	if kept := c.kept(d); kept != nil && d.Size > 0 {
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
	if d.Hashes["sha256"] == "" {
		if err = sum(f, d); err != nil {
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
func sum(f *fetch.File, d *distribution, further ...string) error {
	sums := map[string]hash.Hash{}
	var writers []io.Writer
	for _, name := range slices.Concat(slices.Collect(maps.Keys(d.Hashes)), further, []string{"sha256"}) {
		if h, ok := hashOf(name); ok && sums[name] == nil {
			sums[name] = h
			writers = append(writers, h)
		}
	}
	if _, err := io.Copy(io.MultiWriter(writers...), io.NewSectionReader(f, 0, f.Size())); err != nil {
		return err
	}
	for name, h := range sums {
		got := hex.EncodeToString(h.Sum(nil))
		if want, ok := d.Hashes[name]; ok && !strings.EqualFold(got, want) {
			return fault.New(fault.Usage, fmt.Errorf("its %s is %s, and %s is promised", name, got, want))
		}
		d.Hashes[name] = got
	}
	return nil
}

// hashOf is a hash by the name that pip and indexes have for it.
func hashOf(name string) (hash.Hash, bool) {
	known := map[string]crypto.Hash{
		"md5": crypto.MD5, "sha1": crypto.SHA1, "sha224": crypto.SHA224, "sha256": crypto.SHA256, "sha384": crypto.SHA384, "sha512": crypto.SHA512,
	}
	h, ok := known[strings.ToLower(name)]
	if !ok {
		return nil, false
	}
	return h.New(), true
}

// checkHashes holds a file against the --hash options of its lines, of which
// one must fit (https://pip.pypa.io/en/stable/topics/secure-installs/).
func (c completion) checkHashes(ctx context.Context, d *distribution) error {
	var wanted []string
	for _, w := range c.lines() {
		if w.Name == d.Name || w.URL != "" && w.URL == d.URL {
			wanted = append(wanted, w.Hashes...)
			if found := fragmentHash.FindStringSubmatch(w.Line); found != nil {
				wanted = append(wanted, found[1]+":"+found[2])
			}
		}
	}
	if len(wanted) == 0 {
		if slices.Contains(c.request.Files.Options, "--require-hashes") && slices.Contains(c.request.projects(), d.Name) {
			return fault.New(fault.Usage, errors.New("--require-hashes wants a --hash for everything, and no line has one for this"))
		}
		return nil
	}
	if err := c.alsoHash(ctx, d, wanted); err != nil {
		return fetch.Explain(err)
	}
	for _, want := range wanted {
		name, sum, _ := strings.Cut(want, ":")
		if strings.EqualFold(d.Hashes[name], sum) {
			return nil
		}
	}
	err := fmt.Errorf("its sha256 is %s, which none of the %d --hash options of its line has", d.Hashes["sha256"], len(wanted))
	return fault.WithHint(fault.New(fault.Usage, err), fmt.Sprintf("the file that fits this platform is %s: add --hash=sha256:%s if that is the right one", d.File, d.Hashes["sha256"]))
}

// fragmentHash is a hash in an address, as indexes and pip write it.
var fragmentHash = regexp.MustCompile(`[#&](md5|sha1|sha224|sha256|sha384|sha512)=([0-9a-fA-F]+)`)

// alsoHash adds the hashes that options name and nobody promises.
func (c completion) alsoHash(ctx context.Context, d *distribution, wanted []string) error {
	var missing []string
	for _, want := range wanted {
		name, _, _ := strings.Cut(want, ":")
		if _, ok := hashOf(name); ok && d.Hashes[name] == "" {
			missing = append(missing, name)
		}
	}
	if missing == nil {
		return nil
	}
	f, err := c.HTTP.Open(ctx, d.URL, cmp.Or(d.Size, door.BodyLimit))
	if err != nil {
		return err
	}
	defer f.Close()
	return sum(f, d, missing...)
}

// note tells what is odd about a file and no fault.
func (c completion) note(d *distribution, f *door.File) {
	if f == nil {
		return
	}
	if f.Yanked {
		c.notes <- fmt.Sprintf("%s: %s was yanked from its index%s", c.request.Set, d.title(), reasonOf(f.YankedReason))
	}
	if sum := f.MetadataHashes["sha256"]; d.wheel != nil && sum != "" && sum != d.wheel.Metadata {
		c.notes <- fmt.Sprintf("%s: what the index says of the requirements of %s differs from the METADATA in its wheel", c.request.Set, d.title())
	}
}

func reasonOf(text string) string {
	if text == "" {
		return ""
	}
	return ": " + text
}
