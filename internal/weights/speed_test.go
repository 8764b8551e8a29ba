package weights_test

import (
	"context"
	"crypto/sha256"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"lamina.build/internal/registry"
	"lamina.build/internal/weights"
	"lamina.build/lock"
)

// zeros is a source of files of zeros, as fast as memory.
type zeros struct{}

func (zeros) Open(_ context.Context, _ lock.ModelFile, _, length int64) (io.ReadCloser, error) {
	return io.NopCloser(&zeroReader{length}), nil
}

type zeroReader struct{ left int64 }

func (z *zeroReader) Read(p []byte) (int, error) {
	if z.left == 0 {
		return 0, io.EOF
	}
	n := min(int64(len(p)), z.left)
	clear(p[:n])
	z.left -= n
	return int(n), nil
}

// zeroModel returns a model of count files of size zeros.
func zeroModel(count int, size int64) lock.Model {
	h := sha256.New()
	_, _ = io.Copy(h, &zeroReader{size})
	sum := h.Sum(nil)
	m := lock.Model{ModelRequest: lock.ModelRequest{From: "hf://acme/zeros@main", Path: "/m"}, Plan: lock.ModelPlan}
	for i := range count {
		m.Files = append(m.Files, lock.ModelFile{
			Path: "shard-" + strconv.Itoa(i), Size: size, SHA256: hexOf(sum),
		})
	}
	m.Digest = weights.Digest(m).String()
	return m
}

func hexOf(sum []byte) string {
	const digits = "0123456789abcdef"
	var b strings.Builder
	for _, c := range sum {
		b.WriteByte(digits[c>>4])
		b.WriteByte(digits[c&15])
	}
	return b.String()
}

// drain is the least that a registry can do: it reads, and verifies nothing.
func drain(t testing.TB) string {
	t.Helper()
	var mu sync.Mutex
	sizes, uploads := map[string]int64{}, 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, r.Body, make([]byte, 256<<10))
		if err != nil {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		switch r.Method {
		case http.MethodPost:
			uploads++
			w.Header().Set("Location", "/v2/acme/tiny/blobs/uploads/"+strconv.Itoa(uploads))
			w.WriteHeader(http.StatusAccepted)
		case http.MethodPatch:
			sizes[r.URL.Path] += n
			w.Header().Set("Location", r.URL.Path)
			w.Header().Set("Range", "0-"+strconv.FormatInt(sizes[r.URL.Path]-1, 10))
			w.WriteHeader(http.StatusAccepted)
		case http.MethodPut:
			w.WriteHeader(http.StatusCreated)
		case http.MethodGet:
			if r.URL.Path != "/v2/" {
				w.WriteHeader(http.StatusNotFound)
			}
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

func pushZeros(t testing.TB, host string, m lock.Model, journal string) {
	t.Helper()
	layers, err := weights.Layers("zeros", m, weights.MaxLayers)
	must(t, err)
	repo, err := registry.Open(t.Context(), host+"/acme/tiny", registry.Options{Keychain: anonymous{}})
	must(t, err)
	_, err = weights.Push(t.Context(), weights.PushOptions{
		Job: weights.Job{Model: m, Layers: layers, Source: zeros{}}, Repository: repo, Tag: "1", Journal: journal,
	})
	must(t, err)
}

// The memory of a push is limited by its buffers, however large the model.
func TestPushInBoundedMemory(t *testing.T) {
	size := int64(1 << 30)
	if testing.Short() {
		size = 256 << 20
	}
	host, m := drain(t), zeroModel(2, size)
	debug.FreeOSMemory() // taken by other tests
	before := taken()
	var most uint64
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			most = max(most, taken())
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	pushZeros(t, host, m, t.TempDir())
	close(stop)
	<-stopped
	if grown := (most - before) >> 20; grown > 256 {
		t.Errorf("%d MiB of memory", grown)
	} else {
		t.Logf("at most %d MiB next to %d", grown, before>>20)
	}
}

// taken returns the process's memory.
func taken() uint64 {
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return s.Sys - s.HeapReleased
}

// BenchmarkPush has a journal that knows the layers, or an empty one: then each
// byte is hashed for its layer and for its file.
func BenchmarkPush(b *testing.B) {
	for _, bb := range []struct {
		name  string
		count int
		size  int64
		known bool
	}{
		{"one file", 1, 2 << 30, false},
		{"one file, known", 1, 2 << 30, true},
		{"four files", 4, 512 << 20, false},
		{"small files", 400, 4 << 20, false},
	} {
		b.Run(bb.name, func(b *testing.B) {
			host, m, journal := drain(b), zeroModel(bb.count, bb.size), b.TempDir()
			if bb.known {
				pushZeros(b, host, m, journal)
			}
			b.SetBytes(m.Size())
			for b.Loop() {
				if !bb.known {
					journal = b.TempDir()
				}
				pushZeros(b, host, m, journal)
			}
		})
	}
}

func BenchmarkSHA256(b *testing.B) {
	data := make([]byte, 8<<20)
	b.SetBytes(int64(len(data)))
	h := sha256.New()
	for b.Loop() {
		_, _ = h.Write(data)
	}
}

// BenchmarkLoopback measures a plain copy to the same server.
func BenchmarkLoopback(b *testing.B) {
	host := drain(b)
	b.SetBytes(1 << 30)
	client := &http.Client{Transport: registry.NewTransport(nil)}
	for b.Loop() {
		req, err := http.NewRequestWithContext(b.Context(), http.MethodPatch, "http://"+host+"/x", &zeroReader{1 << 30})
		must(b, err)
		req.ContentLength = 1 << 30
		resp, err := client.Do(req)
		must(b, err)
		must(b, resp.Body.Close())
	}
}
