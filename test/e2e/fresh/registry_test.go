package fresh

import (
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/crane"
	"github.com/google/go-containerregistry/pkg/registry"

	"lamina.build/internal/test/e2etest"
)

// counted is a registry in the test's process that counts the bytes of both directions.
type counted struct {
	host     string
	in, out  atomic.Int64
	requests atomic.Int64
}

func newRegistry(t *testing.T) *counted {
	t.Helper()
	c := &counted{}
	inner := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.requests.Add(1)
		r.Body = &countedBody{r.Body, &c.in}
		inner.ServeHTTP(&countedWriter{w, &c.out}, r)
	}))
	t.Cleanup(server.Close)
	c.host = strings.TrimPrefix(server.URL, "http://")
	return c
}

func (c *counted) reset() { c.in.Store(0); c.out.Store(0) }

type countedBody struct {
	io.ReadCloser
	n *atomic.Int64
}

func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.n.Add(int64(n))
	return n, err
}

type countedWriter struct {
	http.ResponseWriter
	n *atomic.Int64
}

func (w *countedWriter) Write(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p)
	w.n.Add(int64(n))
	return n, err
}

// An app change on an engine that has never seen the image moves the app.
func TestRealAppChangeOnAFreshEngineMovesTheApp(t *testing.T) {
	u, dir, r := e2etest.NewUser(t), e2etest.Example(t), newRegistry(t)
	image, cache := r.host+"/faceblend:1", "type=registry,ref="+r.host+"/faceblend"
	u.Build(t, dir, "-t", image, "--push", "--insecure-registry", "--cache-to", cache)
	first, err := crane.Digest(image, crane.Insecure)
	if err != nil {
		t.Fatalf("reading the image from the registry: %v", err)
	}
	if u.Build(t, dir); u.Digest(t).String() != first {
		t.Errorf("%s was pushed, %s is in the layout", first, u.Digest(t))
	}

	e2etest.Write(t, filepath.Join(dir, "app", "note.txt"), []byte("changed\n"))
	r.reset()
	there := e2etest.UserOf(t, e2etest.FreshEngine(t))
	there.Build(t, dir, "-t", r.host+"/faceblend:2", "--push", "--insecure-registry", "--cache-from", cache, "--smoke", "off")
	t.Logf("an app change moved %d bytes to the registry and %d from it, in %d requests", r.in.Load(), r.out.Load(), r.requests.Load())
	const limit = 1 << 20
	if r.in.Load() > limit || r.out.Load() > limit {
		t.Errorf("that is more than %d", limit)
	}
	before, err := crane.Manifest(image, crane.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	after, err := crane.Manifest(r.host+"/faceblend:2", crane.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	if string(before) == string(after) {
		t.Errorf("the change did not reach the image")
	}
}

// spared matches the steps that a cache must save.
var spared = regexp.MustCompile(`^(check: |smoke: (libraries|requirements|import)|.*: (install|compile|one layer|gather|unpack))`)

// A cache holds the layers of the image and the wheels that were compiled for it, but
// neither their sources nor the builder. With it, a fresh engine makes nothing.
func TestRealCacheIsInProportion(t *testing.T) {
	u, dir, r := e2etest.NewUser(t), e2etest.Example(t), newRegistry(t)
	image, cache := r.host+"/faceblend:1", r.host+"/faceblend:cache"
	u.Build(t, dir, "-t", image, "--push", "--insecure-registry", "--cache-to", "type=registry,ref="+cache)
	has, costs := bytesOf(t, image), bytesOf(t, cache)
	t.Logf("the image has %d bytes, its cache %d", has, costs)
	if costs > 2*has {
		t.Errorf("that is %.1f times the image", float64(costs)/float64(has))
	}
	r.reset()
	there := e2etest.UserOf(t, e2etest.FreshEngine(t))
	start := time.Now()
	built := there.Build(t, dir, "-t", r.host+"/faceblend:2", "--push", "--insecure-registry", "--cache-from", "type=registry,ref="+cache, "--progress", "plain")
	t.Logf("a fresh engine moved %d bytes from the registry, in %.1f s", r.out.Load(), time.Since(start).Seconds())
	names := map[string]string{} // of steps by their numbers
	for line := range strings.Lines(built.Stderr) {
		id, rest, _ := strings.Cut(strings.TrimSpace(line), " [")
		_, rest, _ = strings.Cut(rest, "] ") // the stage
		switch _, known := names[id]; {
		case !strings.HasPrefix(id, "#"):
		case !known:
			names[id] = rest
		case strings.HasPrefix(rest, "DONE ") && spared.MatchString(names[id]):
			t.Errorf("it was made again: %s", names[id])
		}
	}
	if len(names) == 0 {
		t.Error("no steps are printed: this test looks at the wrong thing")
	}
	if first, second := digestOf(t, image), digestOf(t, r.host+"/faceblend:2"); first != second {
		t.Errorf("it is %s, was %s", second, first)
	}
}

func digestOf(t *testing.T, ref string) string {
	t.Helper()
	d, err := crane.Digest(ref, crane.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// bytesOf returns the size of all blobs that an image or a cache names.
func bytesOf(t *testing.T, ref string) (sum int64) {
	t.Helper()
	text, err := crane.Manifest(ref, crane.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	var m struct {
		Layers, Manifests []struct{ Size int64 }
	}
	if err = json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	for _, one := range append(m.Layers, m.Manifests...) {
		sum += one.Size
	}
	return sum
}
