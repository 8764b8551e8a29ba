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

// ofIndex returns an index's entry for a file; nil for one that is required by its address.
// If the page didn't pass the door, because uv had it cached, the index is asked here.
func (c completion) ofIndex(ctx context.Context, d *distribution) (*door.File, error) {
	isServing := func(index string) bool { return c.request.mayServe(index, d.Name, c.Indexes) }
	f, ok := c.door.File(d.URL)
	if ok && (f.Project == d.Name && isServing(f.Index) || f.Project == "" && door.IsFileOf(f.Name, d.Name)) {
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
	return c.asked(ctx, d)
}

// page returns the page from which a file was chosen: that of the earlier lock if the file
// stays, else the one that passed the door; if uv had it cached, it is requested here. A file
// from another tool's lock has none.
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
	if err != nil && ctx.Err() == nil && before.stays(d) { // an earlier lock format has no pages, and needs no index
		return lock.Page{}, nil
	}
	return page, err
}

// asked asks the indexes that may list a file. An index's error matters only if no other
// lists it.
func (c completion) asked(ctx context.Context, d *distribution) (*door.File, error) {
	var failed error
	indexes := append(c.request.serving(d.Name, c.Indexes), c.request.links()...)
	for i, page := range c.request.pages(indexes, d.Name) {
		files, err := door.ReadPage(ctx, c.HTTP, page)
		if f, ok := files[door.Key(d.URL)]; ok && (page != indexes[i] || door.IsFileOf(f.Name, d.Name)) {
			f.Index = indexes[i]
			return &f, nil
		}
		failed = cmp.Or(failed, unlessMissing(err))
	}
	if failed == nil {
		failed = failure.New(failure.Usage, errors.New("no index or requirement names this file"))
	}
	return nil, fetch.Explain(failed)
}

// vouched checks a file of another tool's lock against an index: a build would notice a wrong
// sha256 only after gigabytes.
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
			c.silent.Store(index, true) // don't wait for it again
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

// unlessMissing ignores the error of an index that lacks a project.
func unlessMissing(err error) error {
	if status, ok := errors.AsType[*fetch.StatusError](err); ok && status.Code == http.StatusNotFound {
		return nil
	}
	return err
}

// promised checks uv's data about a file against its index's.
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

// checkFile requires a valid file name, which for wheels and files of an index must be of the
// project.
func checkFile(d *distribution) error {
	isWheel := strings.HasSuffix(d.File, ".whl")
	if lock.IsFileName(d.File) && isWheel == (d.Kind == kindWheel) && (!isWheel && d.Index == "" || door.IsFileOf(d.File, d.Name)) {
		return nil
	}
	return failure.New(failure.Usage, fmt.Errorf("%q can't be the name of %s's %s", d.File, d.Name, d.Kind))
}

// note notes oddities of a file that are no problems.
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

// unsaid returns the algorithms of required hashes that no index lists.
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

// wanted returns the hashes of requirement lines for a file of the image: a build may use
// another version of a project.
func (c completion) wanted(d *distribution) []string {
	if !slices.Contains(c.answer.Distributions, d) {
		return nil
	}
	return c.request.hashes(d.Name, d.URL)
}

// sum reads a whole file for its sha256 and further hashes, and checks the expected ones.
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

// checkHashes checks a file against the --hash options of its lines, one of which must match
// (https://pip.pypa.io/en/stable/topics/secure-installs/).
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
