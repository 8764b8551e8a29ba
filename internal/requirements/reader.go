package requirements

import (
	"slices"
	"strconv"
	"strings"
)

// reader gathers a [Set] from files.
type reader struct {
	Options
	set Set
	formats
	flags   map[string]bool // of those that have no value
	options map[string]option
	files   map[source]bool
	items   map[item]bool
	faults  faults
}

// source is a file and what its items are; the same file may be both.
type source struct {
	file       string
	constraint bool
}

type item struct {
	line       string
	constraint bool
}

func newReader(o Options) *reader {
	return &reader{
		Options: o,
		formats: newFormats(),
		flags:   map[string]bool{},
		options: optionTable(),
		files:   map[source]bool{},
		items:   map[item]bool{},
	}
}

func (r *reader) fault(l line, err error) { r.faults.add(l.file, l.number, err) }

func (r *reader) note(l line, message string) {
	r.set.Notes = append(r.set.Notes, l.file+":"+strconv.Itoa(l.number)+": "+message)
}

// line reads one line: an item with options of its own, or global options.
func (r *reader) line(l line) {
	if strings.HasSuffix(l.text, `\`) {
		r.fault(l, errLooseBackslash)
		return
	}
	text, ok := r.bare(l)
	if !ok {
		return
	}
	text, rest := cutOptions(text)
	given, err := r.settings(rest)
	if err != nil {
		r.fault(l, err)
		return
	}
	if text == "" {
		text, given = r.editable(l, given)
	}
	if text == "" {
		r.apply(l, given)
		return
	}
	r.item(l, text, given)
}

// editable makes an ordinary item of -e: an image holds no checkout to edit.
func (r *reader) editable(l line, given []setting) (string, []setting) {
	i := slices.IndexFunc(given, func(s setting) bool { return s.long == "--editable" })
	if i < 0 {
		return "", given
	}
	r.note(l, "editable becomes an ordinary installation")
	text := given[i].value
	return text, slices.Delete(given, i, i+1)
}

// apply does what the options of a line without an item say.
func (r *reader) apply(l line, given []setting) {
	for _, s := range given {
		r.fault(l, s.apply(r, l, s.value))
	}
}

// finish puts what was gathered into the order that a [Set] promises.
func (r *reader) finish() Set {
	s := r.set
	if s.NoIndex { // pip forgets every index then
		s.IndexURL, s.ExtraIndexURLs = "", nil
	}
	s.Options = r.list()
	for flag := range r.flags {
		s.Options = append(s.Options, flag)
	}
	slices.SortFunc(s.Options, byEffect)
	return s
}
