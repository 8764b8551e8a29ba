package debian

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"lamina.build/internal/atomicfile"
)

// table has the offsets of packages in a Packages file by name, so that a lookup doesn't read
// all sixty thousand. A line is
//
//	NAME TAB RANK TAB PLACE,PLACE TAB PLACE,PLACE
//
// with the packages of that name and then its providers, in the order of the file. Lines are
// sorted by name; the rank is the order in which apt reads names. A table is only a hint: the
// packages are read from the verified file.
type table []byte

// tableFormat is in the names of cached tables: one of another format is made again.
const tableFormat = "2"

// essentialName is the entry of the essential packages: no package has such a name.
const essentialName = "?essential"

// entry is a line of a table.
type entry struct {
	rank     int
	own      []int
	provided []int
}

// newTable makes the table of a whole Packages file.
func newTable(text []byte) (table, error) {
	entries := map[string]*entry{}
	at := func(name string) *entry {
		if entries[name] == nil {
			entries[name] = &entry{rank: len(entries)}
		}
		return entries[name]
	}
	err := ReadPackages(text, func(begin int, p Package) {
		own := at(p.Name)
		own.own = append(own.own, begin)
		// apt reads the fields in this order and numbers packages accordingly, which decides
		// between otherwise equal providers.
		for _, field := range []string{p.PreDepends, p.Depends, p.Conflicts, p.Breaks, p.recommends, p.suggests, p.replaces, p.enhances} {
			for item := range strings.FieldsFuncSeq(field, func(r rune) bool { return r == ',' || r == '|' }) {
				// To apt, "python3:any" differs from python3.
				name := nameOf(item)
				if _, rest, _ := strings.Cut(item, name); name != "" && !strings.HasPrefix(rest, ":") {
					at(name)
				}
			}
		}
		for name := range Names(p.Provides, ",") {
			e := at(name)
			e.provided = append(e.provided, begin)
		}
		if p.Essential {
			e := at(essentialName)
			e.own = append(e.own, begin)
		}
	})
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		if strings.Contains(name, "\t") { // no request can have such a name
			continue
		}
		e := entries[name]
		fmt.Fprintf(&out, "%s\t%d\t%s\t%s\n", name, e.rank, places(e.own), places(e.provided))
	}
	return out.Bytes(), nil
}

func places(list []int) string {
	texts := make([]string, len(list))
	for i, n := range list {
		texts[i] = strconv.Itoa(n)
	}
	return strings.Join(texts, ",")
}

// find returns the entry of a name, or an empty one.
func (t table) find(name string) entry {
	low, high := 0, len(t)
	for low < high {
		middle := low + (high-low)/2
		begin := low + bytes.LastIndexByte(t[low:middle], '\n') + 1
		end := begin + bytes.IndexByte(t[begin:], '\n') + 1
		line := t[begin:end]
		key := line[:bytes.IndexByte(line, '\t')]
		switch c := bytes.Compare(key, []byte(name)); {
		case c == 0:
			return readEntry(line)
		case c < 0:
			low = end
		default:
			high = begin
		}
	}
	return entry{}
}

func readEntry(line []byte) (e entry) {
	fields := strings.Split(strings.TrimSuffix(string(line), "\n"), "\t")
	e.rank, _ = strconv.Atoi(fields[1]) // as newTable wrote it
	for i, list := range []*[]int{&e.own, &e.provided} {
		for n := range strings.SplitSeq(fields[2+i], ",") {
			if place, err := strconv.Atoi(n); err == nil {
				*list = append(*list, place)
			}
		}
	}
	return e
}

// own yields the names of packages.
func (t table) own(yield func(string) bool) {
	for line := range bytes.Lines(t) {
		fields := bytes.SplitN(line, []byte("\t"), 4)
		if len(fields[2]) > 0 && string(fields[0]) != essentialName && !yield(string(fields[0])) {
			return
		}
	}
}

// plain returns the unpacked file. It is cached if the signed index lists that, too.
func (f IndexFile) plain() ([]byte, error) {
	want, listed := f.Release.Files[f.PlainName()]
	kept := f.getter.blobPath(want)
	if listed {
		if data, err := os.ReadFile(kept); err == nil && want.isOf(data) { //nolint:gosec // a name made of a hash
			return data, nil
		}
	}
	file, err := os.Open(f.Local)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	reader, err := unpack(file, path.Ext(f.Path))
	if err != nil {
		return nil, f.broken(err)
	}
	data, err := io.ReadAll(reader)
	if err = errors.Join(err, reader.Close()); err != nil {
		return nil, f.broken(err)
	}
	if listed && want.isOf(data) {
		err = write(kept, data)
	}
	return data, err
}

// PlainName returns the name of the uncompressed file, relative to the index.
func (f IndexFile) PlainName() string {
	return strings.TrimSuffix(f.name, path.Ext(f.name))
}

// isOf reports whether data is the promised content.
func (f File) isOf(data []byte) bool {
	got, err := f.seen(bytes.NewReader(data))
	return err == nil && got == f
}

// Derived returns data made from a verified file, from the cache directory if possible. It isn't
// signed, so the cache file begins with its hash to detect damage. It may only help to find
// verified data and to make data that is checked. The name must change with its input and format.
func (g *Getter) Derived(name string, make func() ([]byte, error)) ([]byte, error) {
	kept := filepath.Join(g.CacheDir, "derived", name)
	if data, err := os.ReadFile(kept); err == nil && len(data) >= sha256.Size { //nolint:gosec // a name of our own
		if sum := sha256.Sum256(data[sha256.Size:]); bytes.Equal(sum[:], data[:sha256.Size]) {
			return data[sha256.Size:], nil
		}
	}
	data, err := make()
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(data)
	return data, write(kept, sum[:], data)
}

func write(name string, parts ...[]byte) error {
	err := atomicfile.Stream(name, 0o644, func(w io.Writer) error {
		for _, data := range parts {
			if _, err := w.Write(data); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("caching unpacked data: %w", err)
	}
	return nil
}

// byRank sorts names in the order in which apt reads them, without those that t lacks.
func (t table) byRank(names []string) []string {
	ranks := map[string]int{}
	for _, name := range names {
		if e := t.find(name); e.rank > 0 || len(e.own) > 0 {
			ranks[name] = e.rank
		}
	}
	return slices.SortedFunc(maps.Keys(ranks), func(a, b string) int { return cmp.Compare(ranks[a], ranks[b]) })
}
