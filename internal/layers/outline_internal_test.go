package layers

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// zeros returns the files of these tests.
func zeros(sizes []Size) []entry {
	entries := make([]entry, len(sizes))
	for i, f := range sizes {
		entries[i] = entry{name: f.Path, mode: 0o644, size: f.Bytes, kind: file, open: func() (io.ReadCloser, error) {
			return io.NopCloser(io.LimitReader(zero{}, f.Bytes)), nil
		}}
	}
	return withParents(entries)
}

type zero struct{}

func (zero) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// bytes writes an outline with zeros as files, or its beginning.
func (o Outline) bytes(w io.Writer) error {
	for _, p := range o.Parts {
		var r io.Reader = bytes.NewReader(p.Bytes)
		if p.File != "" {
			r = zero{}
		}
		if _, err := io.CopyN(w, r, p.Size); err != nil {
			return err
		}
	}
	return nil
}

func tricky() []Size {
	long := strings.Repeat("a-rather-long-element/", 12)
	return []Size{
		{"models/m/config.json", 17},
		{"models/m/empty", 0},
		{"models/m/block", 512},
		{"models/m/unet/x.safetensors", 70_001},
		{"models/m/unet.txt", 1},
		{"models/m/unet-b/c", 511},
		{"models/m/\u00fcber-gr\u00fcn", 3},
		{"models/m/" + long + "file", 5},
		{"models/m/" + strings.Repeat("n", 150), 513},
		{"models/m/z/last-empty", 0},
	}
}

func TestOutlineIsTheTarThatIsWritten(t *testing.T) {
	sets := map[string][]Size{"all": tricky(), "the last one empty": {{"m/empty", 0}}}
	for _, f := range tricky() {
		sets[f.Path] = []Size{f}
	}
	for name, sizes := range sets {
		t.Run(name[:min(len(name), 40)], func(t *testing.T) {
			var want, got bytes.Buffer
			if err := writeTar(t.Context(), &want, zeros(sizes)); err != nil {
				t.Fatal(err)
			}
			outlines, joined, err := Outlines("w", "/models/m", sizes, 0)
			if err != nil || joined || len(outlines) != 1 {
				t.Fatalf("%d outlines, joined %v: %v", len(outlines), joined, err)
			}
			if err := outlines[0].bytes(&got); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(want.Bytes(), got.Bytes()) {
				t.Errorf("%d bytes differ from the %d of the tar", got.Len(), want.Len())
			}
			if outlines[0].Size != int64(want.Len()) {
				t.Errorf("size %d, want %d", outlines[0].Size, want.Len())
			}
			if diff := cmp.Diff(paths(zeros(sizes)), outlines[0].Paths); diff != "" {
				t.Errorf("paths (-want +got):\n%s", diff)
			}
		})
	}
}

var errEnough = errors.New("enough")

// prefix keeps the first bytes, then fails.
type prefix struct {
	data []byte
	most int
}

func (p *prefix) Write(b []byte) (int, error) {
	p.data = append(p.data, b[:min(len(b), p.most-len(p.data))]...)
	if len(p.data) == p.most {
		return 0, errEnough
	}
	return len(b), nil
}

// A size above 8 GiB doesn't fit into the old header format.
func TestOutlineOfLargeFiles(t *testing.T) {
	for _, size := range []int64{8<<30 - 1, 8 << 30, 11_361_920_418} {
		sizes := []Size{{"m/t5.pth", size}}
		want, got := prefix{most: 1 << 16}, prefix{most: 1 << 16}
		if err := writeTar(t.Context(), &want, zeros(sizes)); !errors.Is(err, errEnough) {
			t.Fatal(err)
		}
		outlines, _, err := Outlines("w", "/m", sizes, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := outlines[0].bytes(&got); !errors.Is(err, errEnough) {
			t.Fatal(err)
		}
		if !bytes.Equal(want.data, got.data) {
			t.Errorf("the header of %d bytes differs", size)
		}
		if o := outlines[0]; o.Size%512 != 0 || o.Size < size+1024+512 {
			t.Errorf("size %d of a tar of %d", o.Size, size)
		}
	}
}

func manyFiles(n int) []Size {
	files := make([]Size, n)
	for i := range files {
		files[i] = Size{fmt.Sprintf("models/m/%03d/shard-%05d.safetensors", i%50, i), int64(i%7) * 3_000_000}
	}
	files[0].Bytes = 5 << 30
	return files
}

func TestOutlinesKeepTheLimit(t *testing.T) {
	outlines, joined, err := Outlines("w", "/models/m", manyFiles(1000), 4)
	if err != nil || !joined || len(outlines) > 4 {
		t.Errorf("%d outlines, joined %v: %v", len(outlines), joined, err)
	}
	var files int
	for _, o := range outlines {
		for _, p := range o.Parts {
			if p.File != "" || p.Size == 0 {
				files++
			}
		}
	}
	if want := 1000 - len(slices.DeleteFunc(manyFiles(1000), func(s Size) bool { return s.Bytes > 0 })); files != want {
		t.Errorf("%d files have content, want %d", files, want)
	}
}

func BenchmarkOutlines(b *testing.B) {
	for _, n := range []int{400, 10_000} {
		files := manyFiles(n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				if _, _, err := Outlines("w", "/models/m", files, 60); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
