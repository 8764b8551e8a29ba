package layers_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lamina.build/internal/layers"
	"lamina.build/llb"
	"lamina.build/lock"
)

const mb = 1 << 20

func TestPlan(t *testing.T) {
	files := []layers.Size{
		{Path: "z/tokenizer.json", Bytes: 2 * mb},
		{Path: "b.safetensors", Bytes: 64 * mb},
		{Path: "a.bin", Bytes: 63 * mb},
		{Path: "c.bin", Bytes: 63 * mb},
		{Path: "d.bin", Bytes: 63 * mb},
		{Path: "e.bin", Bytes: 63 * mb},
		{Path: "f.bin", Bytes: 63 * mb},
		{Path: "y.safetensors", Bytes: 900 * mb},
		{Path: "empty"},
	}
	tests := []struct {
		name   string
		limit  int
		want   [][]string
		joined bool
	}{
		{"no limit", 0, [][]string{
			{"a.bin", "c.bin", "d.bin", "e.bin", "empty"}, {"b.safetensors"}, {"f.bin", "z/tokenizer.json"}, {"y.safetensors"},
		}, false},
		{"a limit that holds", 4, [][]string{
			{"a.bin", "c.bin", "d.bin", "e.bin", "empty"}, {"b.safetensors"}, {"f.bin", "z/tokenizer.json"}, {"y.safetensors"},
		}, false},
		{"one too many: the smallest neighbours go together", 3, [][]string{
			{"a.bin", "c.bin", "d.bin", "e.bin", "empty"}, {"b.safetensors", "f.bin", "z/tokenizer.json"}, {"y.safetensors"},
		}, true},
		{"all in one", 1, [][]string{
			{"a.bin", "b.safetensors", "c.bin", "d.bin", "e.bin", "empty", "f.bin", "y.safetensors", "z/tokenizer.json"},
		}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bundles, joined := layers.Plan(files, tt.limit)
			var got [][]string
			for _, b := range bundles {
				var names []string
				for _, f := range b.Files {
					names = append(names, f.Path)
				}
				got = append(got, names)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" || joined != tt.joined {
				t.Errorf("joined %v, want %v; bundles (-want +got):\n%s", joined, tt.joined, diff)
			}
		})
	}
	if b, joined := layers.Plan(nil, 3); len(b) != 0 || joined {
		t.Errorf("no files: %v, %v", b, joined)
	}
}

// The limits are part of what people have published: moving a file across one changes its
// layer, and requires another plan.
func TestPlanAtItsLimits(t *testing.T) {
	if lock.ModelPlan != 1 {
		t.Errorf("these are the rows of plan 1, not %d", lock.ModelPlan)
	}
	sized := func(bytes ...int64) (files []layers.Size) {
		for i, n := range bytes {
			files = append(files, layers.Size{Path: string(rune('a' + i)), Bytes: n})
		}
		return files
	}
	for _, tt := range []struct {
		name  string
		files []layers.Size
		limit int
		want  string // the bundles, by the names of their files
	}{
		{"64 MiB is large", sized(1, 64*mb, 1), 0, "ac b"},
		{"less is not", sized(1, 64*mb-1, 1), 0, "abc"},
		{"256 MiB together", sized(63*mb, 63*mb, 63*mb, 63*mb, 4*mb), 0, "abcde"},
		{"a byte more", sized(63*mb, 63*mb, 63*mb, 63*mb, 4*mb+1), 0, "abcd e"},
		{"joined no larger than necessary", sized(64*mb, 900*mb, 900*mb, 64*mb), 2, "ab cd"},
		{"joined to a megabyte", sized(64*mb, 65*mb, 65*mb, 65*mb), 3, "ab c d"},
		{"joined from the first on", sized(64*mb, 64*mb, 900*mb), 2, "ab c"},
	} {
		bundles, _ := layers.Plan(tt.files, tt.limit)
		var got strings.Builder
		for _, b := range bundles {
			for _, f := range b.Files {
				got.WriteString(f.Path)
			}
			got.WriteString(" ")
		}
		if got.String() != tt.want+" " {
			t.Errorf("%s: got %q, want %s", tt.name, got.String(), tt.want)
		}
	}
}

// randomFiles returns n files, most of them small, like in a model's directory.
func randomFiles(seed uint64, n int) []layers.Size {
	r := rand.New(rand.NewPCG(seed, 1))
	files := make([]layers.Size, n)
	for i := range files {
		size := r.Int64N(4 * mb)
		if r.IntN(4) == 0 {
			size = r.Int64N(11_000 * mb)
		}
		files[i] = layers.Size{Path: fmt.Sprintf("%c/%05d.safetensors", 'a'+r.IntN(26), i), Bytes: size}
	}
	return files
}

func FuzzPlanIsDisjointCompleteAndBounded(f *testing.F) {
	f.Add(uint64(1), uint16(400), int16(0))
	f.Add(uint64(2), uint16(400), int16(100))
	f.Add(uint64(3), uint16(499), int16(1))
	f.Add(uint64(4), uint16(1), int16(-5))
	f.Fuzz(func(t *testing.T, seed uint64, n uint16, limit int16) {
		files := randomFiles(seed, int(n)%500) // few enough for thousands of plans in seconds
		bundles, joined := layers.Plan(files, int(limit))
		if limit > 0 && len(bundles) > int(limit) {
			t.Fatalf("%d bundles, limit %d", len(bundles), limit)
		}
		var all []layers.Size
		for i, b := range bundles {
			checkBundle(t, b, joined)
			if i > 0 && bundles[i-1].Files[0].Path >= b.Files[0].Path {
				t.Fatal("bundles are not in order")
			}
			all = append(all, b.Files...)
		}
		byPath := func(a, b layers.Size) int { return layers.CompareWalk(a.Path, b.Path) }
		slices.SortFunc(all, byPath)
		want := slices.SortedFunc(slices.Values(files), byPath)
		if !slices.Equal(want, all) {
			t.Fatal("the bundles do not hold each file once")
		}
		slices.Reverse(files)
		if again, _ := layers.Plan(files, int(limit)); !reflect.DeepEqual(bundles, again) {
			t.Fatal("the order of the files matters")
		}
	})
}

func checkBundle(t *testing.T, b layers.Bundle, joined bool) {
	t.Helper()
	var sum int64
	for _, f := range b.Files {
		sum += f.Bytes
		if !joined && f.Bytes >= layers.LargeFile && len(b.Files) > 1 {
			t.Fatalf("large file %q is not alone", f.Path)
		}
	}
	if sum != b.Bytes || len(b.Files) == 0 {
		t.Fatalf("bundle of %d files states %d bytes, has %d", len(b.Files), b.Bytes, sum)
	}
	if !joined && len(b.Files) > 1 && sum > layers.BundleSize {
		t.Fatalf("bundle of %d bytes", sum)
	}
}

func BenchmarkPlan(b *testing.B) {
	for _, n := range []int{400, 10_000} {
		files := randomFiles(7, n)
		b.Run(fmt.Sprintf("files=%d", n), func(b *testing.B) {
			for b.Loop() {
				layers.Plan(files, llb.MaxLayers)
			}
		})
	}
}
