package uv

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	"lamina.build/internal/failure"
	"lamina.build/internal/fetch"
	"lamina.build/internal/resolve/door"
	"lamina.build/lock"
)

// ofIndex returns what an index says of a file; nil for one that is asked for by its
// address. An index whose page didn't pass the door, since uv had kept it, is asked here.
func (c completion) ofIndex(ctx context.Context, d *distribution) (*door.File, error) {
	isServing := func(index string) bool { return c.request.mayServe(index, d.Name, c.Indexes) }
	f, ok := c.door.File(d.URL)
	if ok && (f.Project == d.Name && isServing(f.Index) || f.Project == "" && isFileOf(f.Name, d)) {
		return &f, nil
	}
	if name, ok := c.direct[door.Key(d.URL)]; ok && (name == "" || name == d.Name) {
		return nil, nil
	}
	for _, e := range c.Before.Distributions {
		if e.Name == d.Name && e.URL == d.URL && e.SHA256 != "" && e.SHA256 == d.Hashes["sha256"] && e.Index != "" && isServing(e.Index) {
			return &door.File{Index: e.Index, URL: e.URL, Name: e.File, Hashes: map[string]string{"sha256": e.SHA256}, Size: e.Size}, nil
		}
	}
	return c.asked(ctx, d, c.request.serving(d.Name, c.Indexes))
}

// page is the page that a file was chosen from: that of the lock before, where the file
// stays, else the one that passed the door. One that uv had kept is asked for here. Where
// somebody else's lock names the file there is none.
func (c completion) page(ctx context.Context, d *distribution, f *door.File) (page lock.Page, err error) {
	if f == nil || d.Index == "" || c.request.Lock != "" {
		return page, nil
	}
	before := versions{c.Before, c.Upgrade}
	if kept, ok := before.page(d); ok {
		return kept, nil
	}
	for _, project := range []string{d.Name, ""} { // a flat index has one page
		if passed, ok := c.door.Page(d.Index, project); ok {
			return passed, nil
		}
	}
	project := d.Name
	if slices.Contains(c.request.links(), d.Index) {
		project = ""
	}
	page, err = door.MeasurePage(ctx, c.HTTP, d.Index, project)
	if err != nil && ctx.Err() == nil && before.stays(d) { // a lock of an earlier format has no page, and needs no index
		return lock.Page{}, nil
	}
	return page, err
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
		failed = failure.New(failure.Usage, errors.New("no index or requirement names this file"))
	}
	return nil, fetch.Explain(failed)
}

// vouched holds a file that somebody else's lock names against what an index says of it:
// that its sha256 is wrong a build would find out, after gigabytes.
func (c completion) vouched(ctx context.Context, d *distribution) error {
	isKnown := func(e lock.Distribution) bool { return e.URL == d.URL && e.SHA256 == d.Hashes["sha256"] }
	if d.Hashes["sha256"] == "" || slices.ContainsFunc(c.Before.Distributions, isKnown) {
		return nil
	}
	for _, index := range slices.Concat([]string{d.Index}, c.request.serving(d.Name, c.Indexes)) {
		if _, isSilent := c.silent.Load(index); isSilent || index == "" {
			continue
		}
		files, err := door.ReadProject(ctx, c.HTTP, index, d.Name)
		if unlessMissing(err) != nil && ctx.Err() == nil {
			c.silent.Store(index, true) // nobody waits for it once more
		}
		switch sum := files[door.Key(d.URL)].Hashes["sha256"]; {
		case strings.EqualFold(sum, d.Hashes["sha256"]):
			return nil
		case sum != "":
			err := fmt.Errorf("%s lists sha256 %s for it, but the lock that names it has %s", fetch.Redact(index), sum, d.Hashes["sha256"])
			return failure.New(failure.Usage, err)
		}
	}
	d.unknown = true
	return nil
}

// unlessMissing leaves out the error of an index that doesn't have a project.
func unlessMissing(err error) error {
	if status, ok := errors.AsType[*fetch.StatusError](err); ok && status.Code == http.StatusNotFound {
		return nil
	}
	return err
}

// promised holds what uv says of a file against what its index does.
func (completion) promised(d *distribution, f *door.File) error {
	if f == nil {
		return nil
	}
	d.Index = f.Index
	for name, want := range f.Hashes {
		if got, ok := d.Hashes[name]; ok && !strings.EqualFold(got, want) {
			return fmt.Errorf("%s lists %s %s for it, but uv reports %s", f.Index, name, want, got)
		}
		d.Hashes[name] = strings.ToLower(want)
	}
	d.Size = cmp.Or(f.Size, d.Size)
	d.File = f.Name
	return nil
}

// isFileOf says whether the name of a file is that of a project's.
func isFileOf(file string, d *distribution) bool {
	rest, ok := strings.CutPrefix(normal(file), d.Name+"-")
	return ok && strings.IndexAny(rest, "0123456789v") == 0
}

// checkFile wants a name that a lock can have, and that of a wheel, or of what an index
// has, to be its project's.
func checkFile(d *distribution) error {
	isWheel := strings.HasSuffix(d.File, ".whl")
	if lock.IsFileName(d.File) && isWheel == (d.Kind == kindWheel) && (!isWheel && d.Index == "" || isFileOf(d.File, d)) {
		return nil
	}
	return failure.New(failure.Usage, fmt.Errorf("%q can't be the name of %s's %s", d.File, d.Name, d.Kind))
}

// note tells what is odd about a file and no problem.
func (c completion) note(d *distribution, f *door.File) {
	if f == nil {
		return
	}
	if f.Yanked {
		reason := strings.TrimSuffix(": "+f.YankedReason, ": ")
		d.notes = append(d.notes, fmt.Sprintf("%s: %s was yanked from its index%s", c.request.Set, d.title(), reason))
	}
	if sum := f.MetadataHashes["sha256"]; d.wheel != nil && sum != "" && sum != d.wheel.Metadata {
		d.notes = append(d.notes, fmt.Sprintf("%s: the requirements of %s in the index differ from the METADATA in its wheel", c.request.Set, d.title()))
	}
}

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

// wanted are the hashes that lines have for a file. They are about the image's own:
// a build may take another version of a project.
func (c completion) wanted(d *distribution) []string {
	if !slices.Contains(c.answer.Distributions, d) {
		return nil
	}
	return c.request.hashes(d.Name, d.URL)
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
			return failure.New(failure.Usage, fmt.Errorf("its %s is %s, but %s is expected", name, got, want))
		}
		d.Hashes[name] = got
	}
	return nil
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
		err := fmt.Errorf("its sha256 is %s, which matches none of the %d --hash options of its line", d.Hashes["sha256"], len(wanted))
		return failure.WithHint(failure.New(failure.Usage, err), fmt.Sprintf("the file that fits this platform is %s: add --hash=sha256:%s if that is the right one", d.File, d.Hashes["sha256"]))
	case len(wanted) == 0 && slices.Contains(c.request.Files.Options, "--require-hashes") && slices.Contains(c.answer.Distributions, d):
		return failure.New(failure.Usage, errors.New("--require-hashes requires a --hash for everything, but no line has one for this"))
	}
	return nil
}
