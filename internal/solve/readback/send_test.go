package readback

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/errdefs"
	"github.com/moby/buildkit/client"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"lamina.build/internal/failure"
	"lamina.build/internal/layout"
	"lamina.build/internal/registry"
	"lamina.build/internal/test/testworld"
)

// noise returns bytes that no compression makes smaller.
func noise(size int) []byte {
	data, r := make([]byte, size), rand.New(rand.NewPCG(1, uint64(size)))
	for i := range data {
		data[i] = byte(r.Uint32())
	}
	return data
}

// sends returns a sender to a registry, and the last status of each step that it reports.
func sends(t *testing.T, r *testworld.Registry) (s *sender, told map[string]*client.VertexStatus) {
	t.Helper()
	told = map[string]*client.VertexStatus{}
	s = newSender(repository(t, r.Host+"/app"))
	s.report = func(s *client.SolveStatus) { told[s.Vertexes[0].Name] = s.Statuses[0] }
	return s, told
}

// writes writes a blob as an engine does, in pieces.
func writes(t *testing.T, s content.Store, data []byte) error {
	t.Helper()
	d := described(ocispec.MediaTypeImageLayer, data)
	w, err := s.Writer(t.Context(), content.WithRef(d.Digest.String()), content.WithDescriptor(d))
	if err != nil {
		return err
	}
	_, err = io.CopyBuffer(struct{ io.Writer }{w}, bytes.NewReader(data), make([]byte, 1<<20))
	if err == nil {
		err = w.Commit(t.Context(), d.Size, d.Digest)
	}
	return errors.Join(err, w.Close())
}

// An interrupted upload is resumed; one that is lost is a transient error.
func TestSending(t *testing.T) {
	t.Parallel()
	const size, patches = 20 << 20, "PATCH /v2/app/blobs/**"
	for name, tt := range map[string]struct {
		where string
		fault func(*testworld.Registry) testworld.Fault
		most  int64 // bytes that reach the registry
		kind  failure.Kind
		fails bool
	}{
		"as it should be":    {"", nil, size, failure.Failure, false},
		"cut in a chunk":     {patches, func(*testworld.Registry) testworld.Fault { return testworld.CutUpload(5<<20, true, 1) }, size + 4<<20, failure.Failure, false},
		"a chunk is lost":    {patches, func(*testworld.Registry) testworld.Fault { return testworld.CutUpload(5<<20, false, 1) }, size + 9<<20, failure.Failure, false},
		"no chunks":          {patches, func(*testworld.Registry) testworld.Fault { return testworld.RefuseChunks(405, testworld.Always) }, size + 8<<20, failure.Failure, false},
		"the upload is lost": {patches, func(r *testworld.Registry) testworld.Fault { return r.ForgetUpload(10 << 20) }, size, failure.Transient, true},
		"refused":            {patches, func(*testworld.Registry) testworld.Fault { return testworld.Status(403, testworld.Always) }, size, failure.Usage, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := testworld.NewRegistry(t, testworld.RegistryOptions{})
			s, told := sends(t, r)
			if tt.fault != nil {
				r.Fail(tt.where, tt.fault(r))
			}
			data := noise(size)
			err := writes(t, s, data)
			if (err != nil) != tt.fails || (s.err() != nil) != tt.fails || tt.fails && failure.KindOf(s.err()) != tt.kind {
				t.Fatalf("it ends with %v; noted is %v", err, s.err())
			}
			if n := r.Received(); n > tt.most {
				t.Errorf("%d bytes reached the registry, want %d at most", n, tt.most)
			}
			if n := r.Uploads(); n > 0 {
				t.Errorf("%d uploads are left", n)
			}
			if _, err := s.Info(t.Context(), digest.FromBytes(data)); errdefs.IsNotFound(err) != tt.fails {
				t.Errorf("the registry has the blob: %v", err)
			}
			if len(told) != 1 {
				t.Fatalf("told is %v", told)
			}
			for name, at := range told {
				if at.Total != size || (at.Completed != nil) == tt.fails || at.Completed != nil && at.Current != size {
					t.Errorf("%q is at %+v", name, at)
				}
			}
		})
	}
}

// Small blobs stay in memory, an abandoned blob leaves no upload, and an upload can be restarted.
func TestSendingInPart(t *testing.T) {
	t.Parallel()
	r := testworld.NewRegistry(t, testworld.RegistryOptions{})
	s, _ := sends(t, r)
	small, large := noise(heldSize), noise(registry.ChunkSize+1)
	if err := writes(t, s, small); err != nil || r.Received() > 0 {
		t.Errorf("a small blob: %v, %d bytes were sent", err, r.Received())
	}
	d := described(ocispec.MediaTypeImageLayer, large)
	w, err := s.Writer(t.Context(), content.WithRef("x"), content.WithDescriptor(d))
	if err != nil {
		t.Fatal(err)
	}
	for _, end := range []func() error{func() error { return w.Truncate(0) }, w.Close, w.Close} {
		if _, err = w.Write(large[:1000]); err != nil {
			t.Fatal(err)
		}
		if at, _ := w.Status(); at.Offset == 0 || at.Total != d.Size {
			t.Errorf("the upload is at %+v", at)
		}
		if err = end(); err != nil {
			t.Error(err)
		}
	}
	if err = w.Commit(t.Context(), d.Size, d.Digest); err == nil {
		t.Error("a blob is committed of which nothing was written")
	}
	if n := r.Uploads(); n > 0 || s.err() != nil {
		t.Errorf("%d uploads are left; noted is %v", n, s.err())
	}
}

// Each store gets what it lacks.
func TestSharedStores(t *testing.T) {
	t.Parallel()
	r := testworld.NewRegistry(t, testworld.RegistryOptions{})
	s, _ := sends(t, r)
	l, err := layout.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	both := share([]content.Store{l.Store(), s})
	first, second, third := noise(300<<10), noise(301<<10), noise(302<<10)
	for _, err := range []error{writes(t, l.Store(), first), writes(t, s, second), writes(t, both, first), writes(t, both, second), writes(t, both, third)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for i, data := range [][]byte{first, second, third} {
		d := digest.FromBytes(data)
		for name, one := range map[string]content.Store{"layout": l.Store(), "registry": s, "both": both} {
			if _, err := one.Info(t.Context(), d); err != nil {
				t.Errorf("%s lacks blob %d: %v", name, i, err)
			}
		}
	}
	if err := writes(t, both, third); !errdefs.IsAlreadyExists(err) {
		t.Errorf("what all have is written again: %v", err)
	}
	if want := int64(300<<10 + 301<<10 + 302<<10); r.Received() != want {
		t.Errorf("%d bytes reached the registry, want %d", r.Received(), want)
	}
}

// Each attempt of a build has its own display, and the repositories of the first stay open.
func TestPushesReportToTheLatestAttempt(t *testing.T) {
	t.Chdir(t.TempDir())
	r := testworld.NewRegistry(t, testworld.RegistryOptions{})
	x := opened(t, nil, "type=image,push=true,name="+r.Host+"/a:1")
	latest := 0
	for n := range 2 {
		x.Of(picture(t), Sources{Send: func(*client.SolveStatus) { latest = n + 1 }})
		if _, err := x.Batches(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if len(x.pushed) != 1 {
		t.Fatalf("%d repositories are open", len(x.pushed))
	}
	if err := writes(t, x.pushed[0].sender, noise(heldSize+1)); err != nil || latest != 2 {
		t.Errorf("attempt %d hears of the push, %v", latest, err)
	}
	if err := x.Close(); err != nil {
		t.Error(err)
	}
}
