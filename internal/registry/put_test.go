package registry_test

import (
	"bytes"
	"io"
	"testing"

	"github.com/opencontainers/go-digest"

	"lamina.build/internal/registry"
	"lamina.build/internal/test/testworld"
)

// What a registry has is not sent again after an interruption.
func TestPut(t *testing.T) {
	t.Parallel()
	const size = 20 << 20
	for _, tt := range []struct {
		name   string
		where  string
		fault  func(*testworld.Registry) testworld.Fault
		least  int64 // bytes that reach the registry
		most   int64
		limits registry.Limits
	}{
		{"as it should be", "", nil, size, size, registry.Limits{}},
		{"cut in a chunk", patches, func(*testworld.Registry) testworld.Fault { return testworld.CutUpload(5<<20, true, 1) }, size, size + 4<<20, registry.Limits{}},
		{"cut, and the chunk is lost", patches, func(*testworld.Registry) testworld.Fault { return testworld.CutUpload(5<<20, false, 1) }, size, size + 9<<20, registry.Limits{}},
		{"refused for a moment", patches, func(*testworld.Registry) testworld.Fault { return testworld.Status(503, 2) }, size, size, registry.Limits{}},
		{"forgotten", patches, func(r *testworld.Registry) testworld.Fault { return r.ForgetUpload(10 << 20) }, size + 10<<20, 2 * size, registry.Limits{}},
		{"the last answer is lost", puts, func(*testworld.Registry) testworld.Fault { return testworld.LoseAnswer(1) }, size, size, registry.Limits{}},
		{"no chunks are accepted", patches, func(*testworld.Registry) testworld.Fault { return testworld.RefuseChunks(405, testworld.Always) }, size, size + 8<<20, registry.Limits{}},
		{"none are known to be", patches, func(*testworld.Registry) testworld.Fault { return testworld.Status(500, testworld.Always) }, size, size, registry.Limits{NoChunks: true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r, o := testworld.NewRegistry(t, testworld.RegistryOptions{}), hasty()
			o.Limits = tt.limits
			if tt.fault != nil {
				r.Fail(tt.where, tt.fault(r))
			}
			data, d := weights(size)
			if err := open(t, r, o).Put(t.Context(), d, size, opened(data)); err != nil {
				t.Fatal(err)
			}
			check(t, r, d)
			if n := r.Received(); n < tt.least || n > tt.most {
				t.Errorf("%d bytes reached the registry, want %d to %d", n, tt.least, tt.most)
			}
			if n := r.Uploads(); n > 0 {
				t.Errorf("%d uploads are left", n)
			}
		})
	}
}

func opened(data []byte) func(int64) (io.ReadCloser, error) {
	return func(from int64) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data[from:])), nil }
}

// Content that doesn't match the digest is never stored.
func TestPutOfOtherBytes(t *testing.T) {
	t.Parallel()
	r := testworld.NewRegistry(t, testworld.RegistryOptions{})
	data, _ := weights(9 << 20)
	d := digest.FromString("others")
	for _, size := range []int64{9 << 20, 10 << 20} { // and fewer of them
		if err := open(t, r, hasty()).Put(t.Context(), d, size, opened(data)); err == nil {
			t.Errorf("%d bytes are accepted", size)
		}
	}
	if r.Blob("acme/model", d) != nil {
		t.Error("the registry has them")
	}
}
