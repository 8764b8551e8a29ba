package registry_test

import (
	"testing"

	"lamina.build/internal/registry"
)

func TestNext(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		header         string
		believed, want int64
		ok             bool
	}{
		{"0-9", 0, 10, true},
		{"bytes=0-9", 0, 10, true},
		{"bytes 0-9", 0, 10, true},
		{"0-0", 0, 0, true},
		{"0-0", 5, 0, true},
		{"0-0", 1, 1, true},
		{"0--1", 0, 0, true},
		{"0--2", 0, 0, false},
		{"1-9", 0, 0, false},
		{"0-", 0, 0, false},
		{"0-+9", 0, 0, false},
		{"9", 0, 0, false},
		{"0-9223372036854775807", 0, 0, false},
		{"0-11361920417", 0, 11_361_920_418, true},
	} {
		if got, ok := registry.Next(tt.header, tt.believed); got != tt.want || ok != tt.ok {
			t.Errorf("%q: got %d, %v, want %d, %v", tt.header, got, ok, tt.want, tt.ok)
		}
	}
}

// FuzzNext checks that no answer of a registry yields a negative offset, and that our own
// ranges are parsed correctly.
func FuzzNext(f *testing.F) {
	f.Add("0-9", int64(3))
	f.Add("bytes=0--1", int64(0))
	f.Add("0-9223372036854775807", int64(1))
	f.Fuzz(func(t *testing.T, header string, n int64) {
		if got, ok := registry.Next(header, n); got < 0 || !ok && got != 0 {
			t.Errorf("%q: got %d, %v", header, got, ok)
		}
		if n &= 0x7fffffff; n > 1 {
			if got, ok := registry.Next(registry.ContentRange(0, int(n)), 0); got != n || !ok {
				t.Errorf("%d bytes: got %d, %v", n, got, ok)
			}
		}
	})
}
